"""The step ``distill``: a student learns from an earlier model, or from a teacher's stored outputs.

>>> Distill.model_validate({"do": "distill", "as": "student", "net": "shufflenet-v2", "from": "teacher", "epochs": 20})

T-SNet's second stage is ``losses: {ce: 0.1, kd: 0.9, hint: 1.0}`` with ``mix``. Where annotators' votes exist, compare with
``train`` on ``targets: votes``: votes are soft targets that need no teacher.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, field_validator, model_validator

from facelet.errors import FaceletError
from facelet.faces import FaceSet
from facelet.learn.steps.taught_step import TaughtStep
from facelet.learn.tasks.distillation import DistillationTask
from facelet.learn.tasks.distillation_losses import TERMS, Pair
from facelet.learn.tasks.task import TrainingTask
from facelet.learn.teachers.teacher import Teacher
from facelet.nets import FaceNet, NetSpec
from facelet.step import STEPS, Plan, StepContext


@STEPS.register("distill")
class Distill(TaughtStep):
    """Fields of TaughtStep, and of the losses.

    Training faces need no label: cross-entropy ignores unlabelled faces, and ``balance: sampler`` does not draw them.
    """

    losses: dict[str, float] = Field(
        {"ce": 0.1, "kd": 0.9},
        description="weights of the losses `ce`, `kd`, `dkd`, `hint`, `attention` and `rkd`, by name",
    )
    temperature: float = Field(4.0, gt=0, le=100, description="temperature of `kd` and `dkd`")
    alpha: float = Field(1.0, ge=0, description="`dkd`: weight of the target class against the rest")
    beta: float = Field(1.0, ge=0, description="`dkd`: weight of the other classes among themselves")
    mix: float = Field(0.0, ge=0, lt=1, description="`hint`: share of the student's own deep feature in the target")

    @field_validator("losses")
    @classmethod
    def _check_losses(cls, value: dict[str, float]) -> dict[str, float]:
        try:
            for name in value:
                TERMS[name]
        except FaceletError as error:
            raise ValueError(str(error)) from error
        if any(weight < 0 for weight in value.values()) or not any(value.values()):
            raise ValueError("the weights of the losses should be 0 or more, and at least one more than 0")
        return value

    @model_validator(mode="after")
    def _check_teacher(self) -> Distill:
        if not self.is_taught:
            raise ValueError("give either from (an earlier model) or answers (a file of a teacher's outputs)")
        if self.cache and self.losses.get("attention"):
            raise ValueError("the loss attention compares maps, and a cache stores only logits and pooled features")
        return self

    def training_faces(self, faces: FaceSet) -> FaceSet:
        if self.balance == "sampler":  # which draws by label
            return super().training_faces(faces)
        train = faces.split("train")
        self.require_votes(train)
        if len(train) < 2:
            raise FaceletError(f"{self.name}: {faces.source} has {len(train)} training faces; at least 2 are needed")
        return train

    def plan(self, faces: FaceSet, specs: Mapping[str, Any]) -> Plan:
        plan = super().plan(faces, specs)
        spec: NetSpec = plan.spec
        self._distillation(spec.skeleton(), spec, self.planned_teacher(faces, specs), {})
        return self.with_teacher(plan, faces, specs)

    def objective(self, net: FaceNet, spec: NetSpec, train: FaceSet, job: StepContext) -> TrainingTask:
        return self._distillation(net, spec, self.teacher_for(train, job), self.hard_options(train))

    def described(self) -> dict[str, Any]:
        return {}  # what share of the classes the teacher's outputs assume is not known

    def notes(self, job: StepContext) -> tuple[str, ...]:
        weights = ", ".join(f"{name} {weight:g}" for name, weight in self.losses.items() if weight)
        return (*super().notes(job), f"taught by {self.who()}; losses {weights}")

    def _distillation(self, net: FaceNet, spec: NetSpec, teacher: Teacher, hard: dict[str, Any]) -> DistillationTask:
        pair = Pair(
            student_widths=tuple(net.stage_widths),
            student_embedding=net.embedding_width,
            teacher_embedding=teacher.embedding_width,
            temperature=self.temperature,
            alpha=self.alpha,
            beta=self.beta,
            mix=self.mix,
        )
        try:
            return DistillationTask(spec, teacher, self.losses, pair, **hard)
        except FaceletError as error:
            raise FaceletError(f"{self.name}: {error}") from None
