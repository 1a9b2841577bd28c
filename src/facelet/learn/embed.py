"""The step ``embed``: trains a net whose output is an embedding, in which faces of one person are near each other.

It learns from identities with a margin loss (CosFace, ArcFace), from a teacher's embeddings, or from both: Wei et al.'s deep
feature distillation (Modern Computer 2019, no. 643).

>>> Embed.model_validate({"do": "embed", "as": "teacher", "net": "seresnet18", "losses": {"arcface": 1.0}, "epochs": 20})
>>> Embed.model_validate({"do": "embed", "as": "student", "net": "mobilefacenet-1m", "from": "teacher", "epochs": 20,
...                       "losses": {"cosface": 1.0, "cosine": 5.0}})

Validation uses pairs of faces of people who are not in the training set (faces.pairset). ``val_loss`` in ``curves.csv`` is the
equal error rate on these pairs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from pydantic import Field, field_validator, model_validator

from facelet.errors import FaceletError, unknown
from facelet.faces import FaceSet
from facelet.faces.pairset import draw_pairs
from facelet.learn.data.batches import Faces
from facelet.learn.engine.val_metrics import ValidationMetric, VerificationMetric
from facelet.learn.steps.taught_step import TaughtStep
from facelet.learn.tasks.recognition import FEATURES, MARGINS, Margin, RecognitionTask
from facelet.learn.tasks.task import TrainingTask
from facelet.learn.teachers.teacher import Teacher
from facelet.losses.margin import default_scale
from facelet.measure.verification import verified
from facelet.nets import FaceNet, NetSpec
from facelet.step import STEPS, Plan, StepContext
from facelet.text import percent

ABOUT_CLASSES = ("loss", "label_smoothing", "targets", "synthetic")
"""Fields of TrainingStep that apply only to nets with classes."""


@STEPS.register("embed")
class Embed(TaughtStep):
    """Fields of TaughtStep, and of the losses.

    ``balance: sampler`` draws people evenly, and faces of unknown people in proportion to their number.
    """

    losses: dict[str, float] = Field(
        {"cosface": 1.0},
        description="weights by name: `cosface` or `arcface` on identities; `cosine`, `squared`, `relational` and "
        "`similarity` on a teacher's embeddings",
    )
    margin: float | None = Field(
        None,
        ge=0,
        description="margin of the loss: a cosine for `cosface`, an angle in radians for `arcface`; default: 0.35 and 0.5",
    )
    scale: float | None = Field(
        None,
        gt=0,
        le=1000,
        description="factor of the cosines; default: 30 for `cosface` and 64 for `arcface`, below 10,000 people √2 "
        "ln(people − 1)",
    )
    margin_epochs: float = Field(2.0, ge=0, le=10_000, description="epochs in which the margin rises from 0")

    @field_validator("losses")
    @classmethod
    def _check_losses(cls, value: dict[str, float]) -> dict[str, float]:
        for name in value:
            if name not in (*MARGINS, *FEATURES):
                raise ValueError(str(unknown("loss of embeddings", name, [*MARGINS, *FEATURES])))
        if any(weight < 0 for weight in value.values()) or not any(value.values()):
            raise ValueError("the weights of the losses should be 0 or more, and at least one more than 0")
        if sum(value.get(name, 0) > 0 for name in MARGINS) > 1:
            raise ValueError("take one of cosface and arcface")
        return value

    @model_validator(mode="after")
    def _check_embed(self) -> Embed:
        fields = type(self).model_fields
        wrong = [name for name in ABOUT_CLASSES if getattr(self, name) != fields[name].default]
        if wrong or self.balance not in ("none", "sampler"):
            wrong = wrong or [f"balance: {self.balance}"]
            raise ValueError(f"{', '.join(wrong)} cannot be used with embed, which trains a net without classes")
        if self._features and not self.is_taught:
            raise ValueError(f"the loss {self._features[0]} needs a teacher: from or answers")
        if self.is_taught and not self._features:
            raise ValueError(f"a teacher needs at least one of the losses {', '.join(FEATURES)}")
        if self.balance == "sampler" and not self._kind:
            raise ValueError("balance: sampler draws people evenly, and needs the loss cosface or arcface")
        if self._kind == "cosface" and self.margin is not None and self.margin > 1:
            raise ValueError("the margin of cosface is a cosine, 0 to 1")
        if self._kind == "arcface" and self.margin is not None and self.margin > np.pi / 2:
            raise ValueError("the margin of arcface is in radians, 0 to 1.57, not in degrees")
        return self

    @property
    def _kind(self) -> str:
        """Name of the loss on identities, or ""."""
        return next((name for name in MARGINS if self.losses.get(name)), "")

    @property
    def _features(self) -> list[str]:
        return [name for name in FEATURES if self.losses.get(name)]

    def about_people(self) -> bool:
        return True

    def classes(self, faces: FaceSet) -> int:
        return 0

    def training_faces(self, faces: FaceSet) -> FaceSet:
        """All training faces with a teacher; without one only those of known people.

        Raises FaceletError when a loss on identities is used and fewer than three people are known.
        """
        train = faces.split("train")
        known = _numbered(train) >= 0
        if self._kind and (not known.any() or self._people(train) < 3):
            raise FaceletError(
                f"{self.name}: {self._kind} needs faces of at least 3 people, and {faces.source} has fewer; "
                "use faces such as identities:PATH, or only losses on a teacher"
            )
        return train if self.is_taught else train.take(known)

    def validation_faces(self, faces: FaceSet) -> FaceSet:
        val = faces.split("val")
        if val.identities is None:
            raise FaceletError(
                f"{self.name} is validated on pairs of faces, and the val faces of {faces.source} have no identities; "
                "use faces such as identities:PATH"
            )
        return val.take(val.identities >= 0)

    def exam(self, faces: FaceSet, spec: NetSpec) -> ValidationMetric:
        return VerificationMetric(draw_pairs(self.validation_faces(faces)), spec.skeleton().embedding_width)

    def batch_faces(self, train: FaceSet) -> Faces:
        """The training faces with people as labels, numbered from 0; -1 for an unknown person."""
        return replace(Faces.of(train), labels=torch.from_numpy(_numbered(train)))

    def plan(self, faces: FaceSet, specs: Mapping[str, Any]) -> Plan:
        plan = super().plan(faces, specs)
        draw_pairs(self.validation_faces(faces))
        train, spec = self.training_faces(faces), plan.spec
        teacher = self.planned_teacher(faces, specs) if self.is_taught else None
        self._recognition(spec.skeleton(), spec, train, teacher)
        people = f" of {self._people(train):,} people" if self._kind else ""
        plan = replace(plan, text=f"{plan.text}{people}, {self._losses()}")
        return self.with_teacher(plan, faces, specs) if self.is_taught else plan

    def objective(self, net: FaceNet, spec: NetSpec, train: FaceSet, job: StepContext) -> TrainingTask:
        return self._recognition(net, spec, train, self.teacher_for(train, job) if self.is_taught else None)

    def notes(self, job: StepContext) -> tuple[str, ...]:
        train = self.training_faces(job.faces)
        lines = [f"losses {self._losses()}"]
        if self._kind:
            margin = self._margin(train)
            unit = " radians" if self._kind == "arcface" else ""
            lines.append(
                f"{self._kind} of {margin.people:,} people: margin {margin.size:g}{unit} after {margin.warmup:,} steps, "
                f"scale {margin.scale:.3g}"
            )
        if self.is_taught:
            lines.append(f"taught by {self.who()}{self._teacher_accuracy(job.faces)}")
        return (*super().notes(job), *lines)

    def _recognition(self, net: FaceNet, spec: NetSpec, train: FaceSet, teacher: Teacher | None) -> RecognitionTask:
        margin = self._margin(train) if self._kind else None
        try:
            return RecognitionTask(spec, net.embedding_width, self.losses, margin, teacher)
        except FaceletError as error:
            raise FaceletError(f"{self.name}: {error}") from None

    def _margin(self, train: FaceSet) -> Margin:
        people, kind = self._people(train), self._kind
        size = MARGINS[kind][1] if self.margin is None else self.margin
        scale = self.scale or default_scale(people, 64.0 if kind == "arcface" else 30.0)
        steps = max(1, len(train) // min(self.batch, len(train)))
        return Margin(kind, people, size, scale, round(self.margin_epochs * steps), self.optimization().lr)

    @staticmethod
    def _people(train: FaceSet) -> int:
        return int(_numbered(train).max()) + 1

    def _losses(self) -> str:
        return ", ".join(f"{name} {weight:g}" for name, weight in self.losses.items() if weight)

    def _teacher_accuracy(self, faces: FaceSet) -> str:
        """Accuracy of stored predictions on the validation pairs, if they cover these: an upper bound for the student."""
        if not self.kept:
            return ""
        val = self.validation_faces(faces)
        try:
            kept = self.kept_answers(val, "")[0]
        except FaceletError:  # they cover only training faces
            return ""
        assert kept.embeddings is not None
        accuracy = verified(kept.embeddings, draw_pairs(val)).accuracy
        return f", accuracy on the validation pairs {percent(accuracy, 2)}"


def _numbered(train: FaceSet) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Number of each face's person, int64 (N,), 0 to people - 1; -1 unknown."""
    if train.identities is None:
        return np.full(len(train), -1, np.int64)
    known = train.identities >= 0
    numbers = np.full(len(train), -1, np.int64)
    numbers[known] = np.unique(train.identities[known], return_inverse=True)[1]
    return numbers
