"""The step ``exit``: a model file that ends at one exit of another model.

In a recipe: ``{do: exit, as: light-exit1, of: light, at: 1}``, where ``light`` was trained by ``self-distill`` with ``keep: true``.
Its row in the ledger shows accuracy and cost of always stopping at this exit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from pydantic import Field
from torch import Tensor, nn

from facelet import nets
from facelet.errors import FaceletError
from facelet.faces import FaceSet
from facelet.models import model_file
from facelet.nets import NetSpec
from facelet.nets.layers.exits import ExitNet
from facelet.shrink.export import export, golden
from facelet.step import STEPS, Plan, Step, StepContext, StepResult


class ExitLogits(nn.Module):
    """Returns the logits (N, K) of exit ``at``, 1 the shallowest. Deeper stages run too, but an export drops them."""

    def __init__(self, net: ExitNet, at: int) -> None:
        super().__init__()
        self.net, self.at = net, at

    def forward(self, images: Tensor) -> Tensor:
        maps = self.net.stages(images)[self.at - 1]
        return self.net.heads.exits[self.at - 1](maps).logits


@STEPS.register("exit")
class Exit(Step):
    """Exports a single exit of a model that keeps its exits."""

    of: str = Field(description="model that keeps its exits")
    at: int = Field(ge=1, description="number of the exit that answers, 1 for the shallowest")

    def needs(self) -> list[str]:
        return [self.of]

    def starts_from(self) -> str | None:
        return self.of

    def design(self) -> tuple[Any, ...]:
        return (self.of,)

    def plan(self, faces: FaceSet, specs: Mapping[str, Any]) -> Plan:
        net = with_exits(self.name, self.of, specs).skeleton()
        count = len(net.stage_widths) - 1
        if self.at > count:
            raise FaceletError(
                f"{self.name}: {self.of!r} has exits 1 to {count}, not {self.at}; after them comes its final output"
            )
        return Plan(f"{self.of} up to exit {self.at} of {count}", seconds=0.0)

    def run(self, job: StepContext) -> StepResult:
        net, spec = nets.load(job.net_of(self.of))
        path, deepest = job.folder / f"{job.name}.onnx", job.models[self.of].onnx
        assert deepest is not None
        described = model_file.read(deepest).model_dump(include={"labels", "protocol", "licence", "crop", "adjusted"})
        export(ExitLogits(cast(ExitNet, net), self.at), spec, path, described, golden(job.faces))
        return StepResult(onnx=path, notes=(f"ends at exit {self.at} of {self.of}",))


def with_exits(name: str, of: str, specs: Mapping[str, Any]) -> NetSpec:
    """Returns the spec of the model ``of``. Raises FaceletError when it has no exits."""
    spec = specs.get(of)
    if spec is None or spec.exits is None:
        raise FaceletError(f"{name}: {of!r} has no exits; train it with self-distill and keep: true")
    return spec
