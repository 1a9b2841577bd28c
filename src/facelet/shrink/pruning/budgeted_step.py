"""Base class of the steps that prune a net to a budget: fields, width search, descriptions.

>>> class Prune(Budgeted): ...
>>> Prune.model_validate({"do": "prune", "as": "small", "of": "large", "params": 0.2, "epochs": 6}).budget
Budget(kind='params', asked=0.2)
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping
from typing import ClassVar

from pydantic import Field, model_validator
from torch import nn

from facelet.errors import FaceletError
from facelet.learn.steps.training_step import TrainingStep
from facelet.measure.efficiency.cost import Cost
from facelet.nets import NetSpec
from facelet.shrink.pruning.budget import KINDS, Budget
from facelet.shrink.pruning.search import WidthGrid, WidthSearch
from facelet.step import Kind
from facelet.text import amount


class Budgeted(TrainingStep):
    """A TrainingStep with exactly one budget."""

    kind: ClassVar[Kind] = "shrinking"

    ratio: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="share of the channels to remove; give exactly one of `ratio`, `params`, `macs`, `bytes` and "
        "`latency_ms`",
    )
    params: float | None = Field(
        None, gt=0, description="parameters that may be left; below 1 a share of the original's"
    )
    macs: float | None = Field(
        None, gt=0, description="multiply-accumulates that may be left; below 1 a share of the original's"
    )
    bytes: float | None = Field(
        None, gt=0, description="size that the fp32 file may have; below 1 a share of the original's"
    )
    latency_ms: float | None = Field(
        None, gt=0, description="milliseconds that one face may take in fp32, on one thread of this machine"
    )
    round_to: int = Field(8, ge=1, le=1024, description="widths are multiples of this number, where the layer allows")
    cap: float = Field(0.9, gt=0, lt=1, description="largest share of its channels that one layer may lose")

    @model_validator(mode="after")
    def _check_budget(self) -> Budgeted:
        given = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one budget of {', '.join(KINDS)}; got {' and '.join(given) or 'none'}")
        if given[0] != "latency_ms" and getattr(self, given[0]) == 1:
            raise ValueError(f"{given[0]}: 1 is neither a share below 1 nor a number above it")
        return self

    @property
    def budget(self) -> Budget:
        return next(Budget(kind, getattr(self, kind)) for kind in KINDS if getattr(self, kind) is not None)

    def trial(self, spec: NetSpec) -> WidthSearch:
        """Returns the width search for ``spec``. Raises FaceletError for a net that cannot be pruned."""
        with self.named():
            return WidthSearch(spec, self.budget, WidthGrid(self.round_to, self.cap))

    @contextlib.contextmanager
    def named(self) -> Iterator[None]:
        """Context in which errors are prefixed with the step's name."""
        try:
            yield
        except FaceletError as error:
            raise FaceletError(f"{self.name}: {error}") from None


def change(whole: Cost, left: Cost) -> str:
    """Returns the change in parameters as text: "20.2 M → 3.82 M parameters"."""
    return f"{amount(whole.params)} → {amount(left.params)} parameters"


def steps(before: Mapping[str, int], after: Mapping[str, int], net: nn.Module) -> str:
    """Returns the change of widths as text, from the input on: "64→32 ×4, 128→56, ..."."""
    pairs = [f"{before[name]}→{after[name]}" for name, _ in net.named_modules() if name in before]
    runs = [(pair, len(list(same))) for pair, same in itertools.groupby(pairs)]
    return ", ".join(pair + (f" ×{count}" if count > 1 else "") for pair, count in runs)
