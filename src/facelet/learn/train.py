"""The step ``train``: a net learns labels, or the shares of annotators' votes.

>>> Train.model_validate({"do": "train", "as": "student", "net": "shufflenet-v2", "epochs": 20})

The plain control of every distillation: the same net, faces and schedule without a teacher.
"""

from __future__ import annotations

from pydantic import Field

from facelet.errors import FaceletError
from facelet.faces import FaceSet
from facelet.learn.steps.training_step import TrainingStep
from facelet.learn.tasks.reconstruction import ReconstructionTask
from facelet.learn.tasks.task import ClassificationTask, TrainingTask
from facelet.nets import FaceNet, NetSpec
from facelet.nets.rescaps import ResCaps
from facelet.step import STEPS, StepContext


@STEPS.register("train")
class Train(TrainingStep):
    """Fields of TrainingStep, and of capsules."""

    reconstruct: float = Field(
        0.0,
        ge=0,
        description="weight of the loss that rebuilds the face from its class capsule, for `net: rescaps`; 0.0005 is "
        "usual",
    )

    def spec_for(self, faces: FaceSet, train: FaceSet, before: NetSpec | None) -> NetSpec:
        spec = super().spec_for(faces, train, before)
        if self.reconstruct and not isinstance(spec.skeleton(), ResCaps):
            raise FaceletError(
                f"{self.name}: reconstruct needs a net of capsules, such as rescaps; {spec.name} has none"
            )
        return spec

    def objective(self, net: FaceNet, spec: NetSpec, train: FaceSet, job: StepContext) -> TrainingTask:
        if self.reconstruct:
            return ReconstructionTask(spec, self.reconstruct, net.embedding_width, **self.hard_options(train))
        return ClassificationTask(spec, **self.hard_options(train))
