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

ELSEWHERE = ("loss", "label_smoothing", "targets", "synthetic")
"""Fields of TrainingStep that are about classes."""


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
            raise ValueError("the losses' weights should be 0 or more, and one of them more than 0")
        if sum(value.get(name, 0) > 0 for name in MARGINS) > 1:
            raise ValueError("take one of cosface and arcface")
        return value

    @model_validator(mode="after")
    def _check_embed(self) -> Embed:
        fields = type(self).model_fields
        wrong = [name for name in ELSEWHERE if getattr(self, name) != fields[name].default]
        if wrong or self.balance == "class-weights":
            raise ValueError(f"{', '.join(wrong) or 'balance: class-weights'} is about classes, and embed has none")
        if self._features and not self.is_taught:
            raise ValueError(f"the loss {self._features[0]} needs a teacher: from, or answers")
        if self.is_taught and not self._features:
            raise ValueError(f"a teacher needs a loss to teach by: {', '.join(FEATURES)}")
        if self.balance == "sampler" and not self._kind:
            raise ValueError("balance: sampler draws people evenly, and belongs to cosface or arcface")
        if self._kind == "cosface" and self.margin is not None and self.margin > 1:
            raise ValueError("cosface's margin is a cosine, 0 to 1")
        if self._kind == "arcface" and self.margin is not None and self.margin > np.pi / 2:
            raise ValueError("arcface's margin is in radians, 0 to 1.57, not in degrees")
        return self

    @property
    def _kind(self) -> str:
        """The loss on identities, "" without one."""
        return next((name for name in MARGINS if self.losses.get(name)), "")

    @property
    def _features(self) -> list[str]:
        return [name for name in FEATURES if self.losses.get(name)]

    def about_people(self) -> bool:
        return True

    def classes(self, faces: FaceSet) -> int:
        return 0

    def training_faces(self, faces: FaceSet) -> FaceSet:
        """All that are known to a teacher; without one those of known people, of whom there are three at least."""
        train = faces.split("train")
        known = _numbered(train) >= 0
        if self._kind and (not known.any() or self._people(train) < 3):
            raise FaceletError(
                f"{self.name}: {self._kind} learns who is who, and {faces.source} knows fewer than 3 people; "
                "take faces such as identities:PATH, or a teacher alone"
            )
        return train if self.is_taught else train.take(known)

    def validation_faces(self, faces: FaceSet) -> FaceSet:
        val = faces.split("val")
        if val.identities is None:
            raise FaceletError(
                f"{self.name} is validated on pairs of faces, and {faces.source} does not say who is on its val faces; "
                "take faces such as identities:PATH"
            )
        return val.take(val.identities >= 0)

    def exam(self, faces: FaceSet, spec: NetSpec) -> ValidationMetric:
        return VerificationMetric(draw_pairs(self.validation_faces(faces)), spec.skeleton().embedding_width)

    def batch_faces(self, train: FaceSet) -> Faces:
        """With people in place of classes, numbered from 0; -1 for nobody known."""
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
        said = [f"losses {self._losses()}"]
        if self._kind:
            margin = self._margin(train)
            unit = " radians" if self._kind == "arcface" else ""
            said.append(
                f"{self._kind} of {margin.people:,} people: margin {margin.size:g}{unit} after {margin.warmup:,} steps, "
                f"scale {margin.scale:.3g}"
            )
        if self.is_taught:
            said.append(f"taught by {self.who()}{self._how_good(job.faces)}")
        return (*super().notes(job), *said)

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

    def _how_good(self, faces: FaceSet) -> str:
        """What kept answers say of validation pairs, where they know them: the student's ceiling."""
        if not self.kept:
            return ""
        val = self.validation_faces(faces)
        try:
            kept = self.kept_answers(val, "")[0]
        except FaceletError:  # they are of training faces alone
            return ""
        assert kept.embeddings is not None
        accuracy = verified(kept.embeddings, draw_pairs(val)).accuracy
        return f", which are right on {percent(accuracy, 2)} of the validation pairs"


def _numbered(train: FaceSet) -> np.ndarray[Any, np.dtype[np.int64]]:
    """int64 (N,): who it is, 0 to people - 1; -1 unknown."""
    if train.identities is None:
        return np.full(len(train), -1, np.int64)
    known = train.identities >= 0
    numbers = np.full(len(train), -1, np.int64)
    numbers[known] = np.unique(train.identities[known], return_inverse=True)[1]
    return numbers
