"""The step ``logit-adjust``: rare classes are predicted more often, without training.

In a recipe: ``{do: logit-adjust, as: fair, of: student}``. From each logit ``tau`` times the logarithm of its class's share of the
training faces is subtracted, in the bias of the last layer. Menon et al., "Long-Tail Learning via Logit Adjustment", ICLR 2021,
https://arxiv.org/abs/2007.07314. On validation faces, ``tau`` is the largest that costs at most ``allowance`` points of accuracy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import nn

from facelet import nets
from facelet.errors import FaceletError
from facelet.faces import FaceSet
from facelet.measure.classification import Classification
from facelet.measure.efficiency.cost import net_cost
from facelet.measure.evaluation import evaluate_model
from facelet.models.priors import reweighted, trained
from facelet.nets import FaceNet
from facelet.nets.layers.exits import without_exits
from facelet.runtime.model import Model
from facelet.step import STEPS, Plan, Step, StepContext, StepResult
from facelet.text import percent

TAUS = tuple(round(0.05 * number, 2) for number in range(21))
"""Values that are tried."""


@STEPS.register("logit-adjust")
class LogitAdjust(Step):
    """Shifts the logits of a trained net by the logarithms of its classes' shares."""

    of: str = Field(description="model whose logits are shifted")
    allowance: float = Field(
        0.2,
        ge=0,
        le=100,
        description="percentage points of validation accuracy that may be lost, if `tau` is not given",
    )
    tau: float | None = Field(
        None,
        ge=0,
        le=2,
        description="strength; 1 answers as if all classes were equally frequent; default: the largest up to 1 within the "
        "allowance",
    )

    def needs(self) -> list[str]:
        return [self.of]

    def starts_from(self) -> str | None:
        return self.of

    def design(self) -> tuple[Any, ...]:
        return (self.do, self.of)

    def allowed(self) -> float | None:
        return self.allowance / 100 if self.tau is None else None

    def plan(self, faces: FaceSet, specs: Mapping[str, Any]) -> Plan:
        spec = specs.get(self.of)
        if spec is None or not spec.classes:
            raise FaceletError(f"{self.name}: {self.of!r} is not the net of a classifier, so it has no logits to shift")
        net = without_exits(spec.skeleton())
        _classifier(net, self.of)
        faces.labelled("val")
        how = f"tau {self.tau:g}" if self.tau is not None else f"at most {self.allowance:g} points lost"
        cost, spec = net_cost(net, spec), replace(spec, exits=None)
        return Plan(f"{self.of}, logits shifted by the classes' shares, {how}", cost.params, cost.macs, 0.0, spec)

    def run(self, job: StepContext) -> StepResult:
        whole, spec = nets.load(job.net_of(self.of))
        net = without_exits(whole)
        path = job.models[self.of].onnx
        if path is None:
            raise FaceletError(f"{self.name!r} needs the model file of {self.of!r}, which has none yet")
        model = Model.load(path)
        shares = trained(model.info)
        before = evaluate_model(model, job.faces, "val", job.console)
        tau = largest(before, shares, self.allowance / 100) if self.tau is None else self.tau
        after = shifted(before, shares, tau)
        shift = -tau * model.info.temperature * np.log(shares)  # a temperature divides the logits, and so their shift
        with torch.no_grad():
            _classifier(net, self.of).bias.add_(torch.from_numpy(shift.astype(np.float32)))
        written = job.folder / "net.safetensors"
        nets.save(net, replace(spec, exits=None), written)
        note = (
            f"tau {tau:g}: validation accuracy {percent(before.accuracy)} → {percent(after.accuracy)}, balanced "
            f"{percent(before.all.balanced_accuracy)} → {percent(after.all.balanced_accuracy)}"
        )
        job.say(note)
        total = round(1 - (1 - model.info.adjusted) * (1 - tau), 6)  # tau is of what earlier adjustments left
        return StepResult(net=written, notes=(note,), described={"adjusted": total})


def largest(val: Classification, shares: NDArray[np.float64], allowance: float) -> float:
    """The largest of TAUS with which the accuracy falls by at most ``allowance``, a share."""
    return max(tau for tau in TAUS if val.accuracy - shifted(val, shares, tau).accuracy <= allowance + 1e-9)


def shifted(val: Classification, shares: NDArray[np.float64], tau: float) -> Classification:
    """Predictions with the classes' ``shares`` (K,) to the power ``tau`` taken out of the probabilities."""
    return replace(val, probabilities=reweighted(val.probabilities, shares**-tau))


def _classifier(net: FaceNet, name: str) -> nn.Linear:
    """The last layer. Raises FaceletError when it is not linear with a bias, as in a capsule net."""
    layer = net.uncut()[0]
    if not isinstance(layer, nn.Linear) or layer.bias is None:
        raise FaceletError(f"the logits of {name!r} are not those of a linear layer with a bias, and cannot be shifted")
    return layer
