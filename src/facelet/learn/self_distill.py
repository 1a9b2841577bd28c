"""The step ``self-distill``: trains a net with exits after its stages, which learn from the deepest exit.

Ni & Ma, J. BUPT 2023(6); Zhang et al., https://arxiv.org/abs/1905.08094; T-SNet's first stage.

>>> SelfDistill.model_validate({"do": "self-distill", "as": "teacher", "net": "resnet18-finegrained", "epochs": 60})

The exits are removed after the training, so the saved net is as large as without them; with ``keep: true`` they stay in the net,
for the steps ``exit`` and ``early-exit``.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from pydantic import Field

from facelet import nets
from facelet.faces import FaceSet
from facelet.learn.steps.training_step import TrainingStep
from facelet.learn.tasks.self_distillation import SelfDistillationTask
from facelet.learn.tasks.task import TrainingTask
from facelet.measure.efficiency.cost import module_cost
from facelet.nets import FaceNet, NetSpec
from facelet.nets.layers.exits import Attention, ExitHeads, ExitNet
from facelet.step import STEPS, StepContext
from facelet.text import amount


@STEPS.register("self-distill")
class SelfDistill(TrainingStep):
    """Fields of TrainingStep, and the settings of the exits."""

    share: float = Field(
        0.2,
        ge=0,
        le=1,
        description="weight of the deepest exit's output in the loss of the other exits; the labels have the rest",
    )
    temperature: float = Field(3.0, gt=0, le=100, description="temperature of the distillation")
    feature: float = Field(0.05, ge=0, description="weight of the squared difference to the deepest feature")
    attention: Attention = Field("eca", description="attention layer before each exit")
    keep: bool = Field(False, description="keep the exits in the net, for the steps `exit` and `early-exit`")

    def spec_for(self, faces: FaceSet, train: FaceSet, before: NetSpec | None) -> NetSpec:
        return replace(super().spec_for(faces, train, before), exits=self.attention if self.keep else None)

    def objective(self, net: FaceNet, spec: NetSpec, train: FaceSet, job: StepContext) -> TrainingTask:
        exits = None if self.keep else self._separate_exits(net, spec)
        return SelfDistillationTask(
            spec,
            exits,
            share=self.share,
            temperature=self.temperature,
            feature=self.feature,
            **self.hard_options(train),
        )

    def _separate_exits(self, net: FaceNet, spec: NetSpec) -> ExitHeads:
        """Exits that are not part of the net, and are not saved with it."""
        return ExitHeads.of(net, spec.size, spec.channels, spec.classes, self.attention)

    def notes(self, job: StepContext) -> tuple[str, ...]:
        net, spec = nets.load(job.folder / "net.safetensors")
        heads = net.heads if isinstance(net, ExitNet) else self._separate_exits(net, spec)
        with torch.no_grad():
            maps = net.stages(torch.zeros(1, spec.channels, spec.size, spec.size))
        exits = module_cost(heads, maps)
        attention = [module_cost(layer, stage) for layer, stage in zip(heads.attentions, maps, strict=False)]
        return (
            *super().notes(job),
            f"the deepest exit taught {len(heads.exits)} exits, which are {'kept' if self.keep else 'removed'}",
            f"the exits have {amount(exits.params)} parameters and {amount(exits.macs)} MACs, their attention ({self.attention}) "
            f"{sum(cost.params for cost in attention):,} and {sum(cost.macs for cost in attention):,}",
        )
