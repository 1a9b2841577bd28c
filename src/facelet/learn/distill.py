"""The step ``distill``: a student learns from an earlier model, or from a teacher's kept answers. T-SNet's second stage is
``losses: {ce: 0.1, kd: 0.9, hint: 1.0}`` with ``mix``.

>>> Distill.model_validate({"do": "distill", "as": "student", "net": "shufflenet-v2", "from": "teacher", "epochs": 20})

Where annotators' votes exist, compare with ``train`` on ``targets: votes``: they are a teacher that costs nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, field_validator, model_validator

from facelet import nets
from facelet.errors import FaceletError
from facelet.faces import FaceSet
from facelet.learn.answers import Answers, answer, digest
from facelet.learn.distillation import Distillation, KeptTeacher, LiveTeacher, Teacher
from facelet.learn.estimate import seconds_per_face
from facelet.learn.lesson import Lesson
from facelet.learn.objective import Objective
from facelet.learn.precision import Wish
from facelet.learn.terms import TERMS, Pair
from facelet.nets import FaceNet, NetSpec
from facelet.step import STEPS, Job, Plan


@STEPS.register("distill")
class Distill(Lesson):
    """Fields of Lesson, and of the teacher. Training faces need no label here: cross-entropy leaves those without out,
    and ``balance: sampler`` does not draw them.
    """

    teacher: str | None = Field(None, alias="from", description="earlier model that teaches")
    answers: Path | None = Field(None, description="instead: a teacher's kept answers, .npz")
    cache: bool = Field(False, description="ask the teacher once about plain and mirrored faces, not at every step")
    losses: dict[str, float] = Field({"ce": 0.1, "kd": 0.9}, description="weights by name")
    temperature: float = Field(4.0, gt=0, le=100)
    alpha: float = Field(1.0, ge=0, description="dkd: weight of the target class against the rest")
    beta: float = Field(1.0, ge=0, description="dkd: weight of the rest among themselves")
    mix: float = Field(0.0, ge=0, lt=1, description="hint: share of the student's own deep feature in the target")

    @field_validator("losses")
    @classmethod
    def _check_losses(cls, value: dict[str, float]) -> dict[str, float]:
        try:
            for name in value:
                TERMS[name]
        except FaceletError as error:
            raise ValueError(str(error)) from error
        if any(weight < 0 for weight in value.values()) or not any(value.values()):
            raise ValueError("the losses' weights should be 0 or more, and one of them more than 0")
        return value

    @model_validator(mode="after")
    def _check_teacher(self) -> Distill:
        if (self.teacher is None) == (self.answers is None):
            raise ValueError("give either from (an earlier model) or answers (a file of a teacher's answers)")
        if self.synthetic and self.answers is not None:
            raise ValueError("kept answers know nothing of synthetic faces; let a model teach, by `from`")
        if self.cache and self.answers is not None:
            raise ValueError("cache belongs to `from`: answers are kept already")
        if self.cache and self.losses.get("attention"):
            raise ValueError("the loss attention compares maps, and a cache keeps only logits and pooled features")
        return self

    def needs(self) -> list[str]:
        return ([self.teacher] if self.teacher else []) + super().needs()

    def training_faces(self, faces: FaceSet) -> FaceSet:
        if self.targets == "votes" or self.balance == "sampler":  # which draws by label
            return super().training_faces(faces)
        train = faces.split("train")
        if len(train) < 2:
            raise FaceletError(f"{self.name}: {faces.source} has {len(train)} training faces; 2 are the least")
        return train

    def plan(self, faces: FaceSet, specs: dict[str, Any]) -> Plan:
        plan = super().plan(faces, specs)
        spec: NetSpec = specs[self.name]
        if self.answers is not None:
            train = self.training_faces(faces)
            kept = Answers.load(self.answers).aligned(train, faces.protocol.split_hash)
            self._distillation(spec.skeleton(), spec, KeptTeacher(kept), {})
            return Plan(f"{plan.text}, taught by {self.answers.name}", plan.params, plan.macs, plan.seconds)
        assert self.teacher is not None
        told = self.spec_of(self.teacher, specs)
        self._distillation(spec.skeleton(), spec, LiveTeacher(told.skeleton(), told), {})
        return Plan(
            f"{plan.text}, taught by {self.teacher}", plan.params, plan.macs, self._with_teacher(plan, faces, told)
        )

    def objective(self, net: FaceNet, spec: NetSpec, train: FaceSet, job: Job) -> Objective:
        return self._distillation(net, spec, self._teacher(train, job), self.hard_options(train))

    def notes(self, job: Job) -> tuple[str, ...]:
        weights = ", ".join(f"{name} {weight:g}" for name, weight in self.losses.items() if weight)
        if self.answers is not None:
            who = f"the kept answers {self.answers.name} ({digest(self.answers)})"
        else:
            who = f"{self.teacher}" + (" (its answers to plain and mirrored faces)" if self.cache else "")
        return (*super().notes(job), f"taught by {who}; losses {weights}")

    def fingerprint(self, job: Job, spec: NetSpec) -> str:
        whole = super().fingerprint(job, spec)
        return whole if self.answers is None else f"{whole}-{digest(self.answers)}"

    def _teacher(self, train: FaceSet, job: Job) -> Teacher:
        if self.answers is not None:
            return KeptTeacher(Answers.load(self.answers).aligned(train, job.faces.protocol.split_hash))
        assert self.teacher is not None
        return taught_by(self.teacher, job, train, self.wish(job), self.cache)

    def _distillation(self, net: FaceNet, spec: NetSpec, teacher: Teacher, hard: dict[str, Any]) -> Distillation:
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
            return Distillation(spec, teacher, self.losses, pair, **hard)
        except FaceletError as error:
            raise FaceletError(f"{self.name}: {error}") from error

    def _with_teacher(self, plan: Plan, faces: FaceSet, teacher: NetSpec) -> float | None:
        """Expected seconds with the teacher's forward passes, a third of what its own training steps would take."""
        if plan.seconds is None or self.minutes:
            return plan.seconds
        assert self.epochs is not None
        passes = 2.0 if self.cache else self.epochs
        return plan.seconds + passes * len(self.training_faces(faces)) * seconds_per_face(teacher, self.precision) / 3


def taught_by(name: str, job: Job, train: FaceSet, wish: Wish, cache: bool) -> Teacher:
    """An earlier model as teacher: live, or (``cache``) asked once about all faces, its answers kept in the job's folder."""
    path, protocol = job.net_of(name), job.faces.protocol.split_hash
    if not cache:
        return LiveTeacher(*nets.load(path), wish)
    kept = job.folder / "answers.npz"
    if kept.exists():
        found = Answers.load(kept)
        if found.teacher == digest(path):
            return KeptTeacher(found.aligned(train, protocol))
    job.say(f"  asks {name} about {len(train):,} faces and their mirror images")
    asked = answer(path, train, device=job.device, wish=wish, protocol=protocol)
    if job.leads:
        asked.save(kept)
    return KeptTeacher(asked)
