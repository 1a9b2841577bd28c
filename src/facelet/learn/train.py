"""The step ``train``: trains a net on labels, or on the shares of annotators' votes.

>>> Train.model_validate({"do": "train", "as": "student", "net": "shufflenet-v2", "epochs": 20})

It is the control of a distillation: the same net, faces and schedule without a teacher.
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
    """Fields of TrainingStep, and the reconstruction loss of capsule nets."""

    reconstruct: float = Field(
        0.0,
        ge=0,
        description="weight of the reconstruction of the face from its class capsule, for `net: rescaps`; usual: 0.0005",
    )

    def spec_for(self, faces: FaceSet, train: FaceSet, before: NetSpec | None) -> NetSpec:
        spec = super().spec_for(faces, train, before)
        if self.reconstruct and not isinstance(spec.skeleton(), ResCaps):
            raise FaceletError(
                f"{self.name}: reconstruct needs a capsule net, such as rescaps; {spec.name} has no capsules"
            )
        return spec

    def objective(self, net: FaceNet, spec: NetSpec, train: FaceSet, job: StepContext) -> TrainingTask:
        if self.reconstruct:
            return ReconstructionTask(spec, self.reconstruct, net.embedding_width, **self.hard_options(train))
        return ClassificationTask(spec, **self.hard_options(train))
