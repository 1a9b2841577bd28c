"""How narrow a net has to get to meet a budget: its skeleton is cut on trial, measured, and the least cut is found by bisection.

>>> trial = WidthSearch(spec, Budget("params", 0.2), WidthGrid(round_to=8, cap=0.9))
>>> widths = trial.find(trial.uniform)      # the same share of every layer
>>> trial.spec(widths), trial.cost(widths)

Rounding makes all layers jump at once; between the last cut that is too wide and the first that fits, layers are narrowed one
by one, so that the budget is met as closely as it can be, and never passed.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from facelet.errors import FaceletError
from facelet.measure.efficiency.cost import Cost, net_cost
from facelet.nets import FaceNet, NetSpec
from facelet.nets.layers.fusable import fused
from facelet.shrink.pruning import budget as budgets
from facelet.shrink.pruning.budget import Budget
from facelet.shrink.pruning.channels import Channels

Widths = dict[str, int]
Rule = Callable[[float], Widths]
"""From a share of the original's channels that are removed, 0 to 1, to what is left; never wider for a larger share."""
HALVINGS, CORRECTIONS = 30, 3


@dataclass(frozen=True)
class WidthGrid:
    """Which widths a layer may take: multiples of ``round_to``, at least 1 - ``cap`` of what it had."""

    round_to: int = 8
    cap: float = 0.9

    def nearest(self, width: int, whole: int, blocks: int, kept: float) -> int:
        """The allowed width nearest to ``kept``, and at most ``width``, of a layer that had ``whole`` channels.

        A layer narrower than ``round_to`` stays as it is.
        """
        unit = math.lcm(self.round_to, blocks)
        least = max(unit, math.ceil(whole * (1 - self.cap) / unit - 1e-9) * unit)
        return min(width, max(least, math.floor(kept / unit + 0.5) * unit))


class WidthSearch:
    """Cuts of the net of ``spec``, which is uncut itself. Nothing is trained and no weights are needed.

    Attributes:
        whole: its layers' widths.
        skeleton: the uncut net, without numbers.
        limit: what the budget allows.

    Raises FaceletError for a net that cannot be cut, at all or on this grid.
    """

    def __init__(self, spec: NetSpec, budget: Budget, grid: WidthGrid) -> None:
        self.original, self.budget, self.grid = spec, budget, grid
        self.skeleton = spec.skeleton()
        channels = Channels(copy.deepcopy(self.skeleton), spec)
        self.whole, self._blocks = channels.widths, channels.blocks
        self._figures: dict[tuple[int, ...], float] = {}
        if self.uniform(1.0) == self.whole:
            raise FaceletError(
                f"no layer of {spec.name} gets narrower with cap {grid.cap:g} and round_to {grid.round_to}; "
                f"its widest has {max(self.whole.values())} channels"
            )
        self.limit = budget.limit(0.0 if budget.kind == "latency_ms" else self.figure(self.whole))

    def uniform(self, share: float) -> Widths:
        """Every layer without the same share of its channels, as nearly as the grid allows."""
        if not share:
            return dict(self.whole)
        return {
            name: self.grid.nearest(width, width, self._blocks[name], width * (1 - share))
            for name, width in self.whole.items()
        }

    def ranked(self, now: Mapping[str, int], scores: Mapping[str, Tensor]) -> Rule:
        """All layers' channels ranked together, each layer's scores in units of their mean; ``now``: widths they are of."""
        values = torch.cat([score / score.mean().clamp(min=1e-12) for score in scores.values()])
        layers = torch.repeat_interleave(torch.tensor([len(score) for score in scores.values()]))
        order = values.argsort(stable=True)
        removed = torch.tensor([self._blocks[name] for name in scores])[layers[order]].cumsum(0)
        gone, total = sum(self.whole.values()) - sum(now.values()), sum(self.whole.values())

        def rule(share: float) -> Widths:
            if not share:
                return dict(now)
            cut = torch.bincount(layers[order[removed <= share * total - gone]], minlength=len(scores)).tolist()
            return {
                name: self.grid.nearest(width, self.whole[name], blocks, width - lost * blocks)
                for (name, width), blocks, lost in zip(
                    now.items(), map(self._blocks.__getitem__, now), cut, strict=True
                )
            }

        return rule

    def find(self, rule: Rule) -> Widths:
        """The widest that the budget allows.

        Raises FaceletError where the uncut net is within it already, and, naming the smallest, where none is small enough.
        """
        widest, smallest = rule(0.0), rule(1.0)
        if widest == self.whole and self.figure(widest) <= self.limit:
            raise FaceletError(
                f"the net costs {self.budget.figure(self.figure(widest))}, and {self.budget.figure(self.limit)} are allowed; "
                "there is nothing to cut"
            )
        if self.figure(smallest) > self.limit:
            raise FaceletError(
                f"{self.budget} is at most {self.budget.figure(self.limit)}; the smallest that cap {self.grid.cap:g} and "
                f"round_to {self.grid.round_to} allow is {self.budget.figure(self.figure(smallest))}"
            )
        if self.budget.kind != "bytes":
            return self._search(rule, lambda widths: self.figure(widths) <= self.limit)
        best, found = smallest, widest
        for _ in range(CORRECTIONS):  # each export tells better what a file has beside its parameters
            beside = self.figure(found) - 4 * self._params(found)
            found = self._search(rule, lambda widths, more=beside: 4 * self._params(widths) + more <= self.limit)  # type: ignore[misc]
            if self.figure(best) < self.figure(found) <= self.limit:
                best = found
        return best

    def figure(self, widths: Widths) -> float:
        """What the budget counts, of the net at these widths."""
        key = tuple(widths.values())
        if key not in self._figures:
            self._figures[key] = self._figure(widths)
        return self._figures[key]

    def cost(self, widths: Widths) -> Cost:
        return net_cost(self._cut(widths), self.original)

    def spec(self, widths: Widths) -> NetSpec:
        return self.original.measured(self._cut(widths))

    def share(self, widths: Mapping[str, int]) -> float:
        """Of the original's channels that are removed."""
        return 1 - sum(widths.values()) / sum(self.whole.values())

    def _figure(self, widths: Widths) -> float:
        kind = self.budget.kind
        if kind == "ratio":
            return sum(widths.values())
        if kind == "params":
            return self._params(widths)
        if kind == "macs":
            return self.cost(widths).macs
        return (budgets.file_bytes if kind == "bytes" else budgets.file_latency)(self.spec(widths))

    def _params(self, widths: Widths) -> int:
        return sum(parameter.numel() for parameter in fused(self._cut(widths)).parameters())

    def _cut(self, widths: Widths) -> FaceNet:
        net = copy.deepcopy(self.skeleton)
        Channels(net, self.original).cut(widths)
        return net

    def _search(self, rule: Rule, fits: Callable[[Widths], bool]) -> Widths:
        wide, narrow = rule(0.0), rule(1.0)
        if fits(wide) or not fits(narrow):
            return wide if fits(wide) else narrow
        low, high = 0.0, 1.0
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            widths = rule(middle)
            if widths == narrow or (widths != wide and fits(widths)):
                high, narrow = middle, widths
            else:
                low, wide = middle, widths
        names = [name for name in narrow if narrow[name] != wide[name]]

        def partly(count: int) -> Widths:
            return {**wide, **{name: narrow[name] for name in names[:count]}}

        least, enough = 0, len(names)
        while enough - least > 1:
            middle_count = (least + enough) // 2
            least, enough = (least, middle_count) if fits(partly(middle_count)) else (middle_count, enough)
        return partly(enough)
