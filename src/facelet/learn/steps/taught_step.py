"""Base class of the steps that learn from a teacher: an earlier model that runs on every batch, or stored predictions.

>>> class Distill(TaughtStep): ...   # fields of TrainingStep, and from, answers, cache, mirror
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from facelet.errors import FaceletError
from facelet.faces import FaceSet
from facelet.learn.engine.estimate import seconds_per_face
from facelet.learn.steps.training_step import TrainingStep
from facelet.learn.teachers.from_job import taught_by, together
from facelet.learn.teachers.predictions import Predictions, digest
from facelet.learn.teachers.teacher import CachedTeacher, LiveTeacher, Teacher
from facelet.nets import NetSpec
from facelet.step import Plan, StepContext


class TaughtStep(TrainingStep):
    """Fields of TrainingStep, and of the teacher. A subclass decides whether a teacher is required."""

    teacher: str | list[str] | None = Field(
        None, alias="from", description="earlier model that teaches; of a list of models, the mean of their outputs"
    )
    answers: Path | list[Path] | None = Field(
        None,
        description="file of a teacher's stored outputs (.npz), instead of `from`; of a list of files, the mean of their "
        "outputs",
    )
    cache: bool = Field(
        False, description="run the teacher once on each face and its mirror image, instead of at every step"
    )
    mirror: bool = Field(
        False, description="learn from the mean of the teacher's outputs on the face and on its mirror image"
    )

    @model_validator(mode="after")
    def _check_cache(self) -> TaughtStep:
        if self.teachers and self.kept:
            raise ValueError("give either from (an earlier model) or answers (a file of a teacher's outputs)")
        if self.synthetic and self.kept:
            raise ValueError("stored answers do not cover synthetic faces; use a model as teacher, with from")
        if self.cache and self.kept:
            raise ValueError("cache applies to from only: answers are stored already")
        for key, given, named in (("from", self.teacher, self.teachers), ("answers", self.answers, self.kept)):
            if given == [] or len(set(named)) < len(named):
                raise ValueError(f"{key} should name at least one teacher, and none twice")
        if self.mirror and not self.is_taught:
            raise ValueError("mirror needs a teacher: from or answers")
        return self

    @property
    def teachers(self) -> list[str]:
        """Names of the earlier models that teach."""
        return [self.teacher] if isinstance(self.teacher, str) else self.teacher or []

    @property
    def kept(self) -> list[Path]:
        """Files of teachers' stored outputs."""
        return [self.answers] if isinstance(self.answers, Path) else self.answers or []

    @property
    def is_taught(self) -> bool:
        return bool(self.teachers or self.kept)

    def needs(self) -> list[str]:
        return self.teachers + super().needs()

    def kept_answers(self, train: FaceSet, split_hash: str) -> list[Predictions]:
        """The predictions in ``answers``, in the order of ``train``. Raises FaceletError when a face is missing."""
        predictions = []
        for path in self.kept:
            stored = Predictions.load(path)
            if self.mirror and stored.mirrored_logits is None and stored.mirrored_embeddings is None:
                raise FaceletError(f"{self.name}: mirror needs predictions on mirrored faces, and {path} has none")
            predictions.append(stored.aligned(train, split_hash))
        return predictions

    def planned_teacher(self, faces: FaceSet, specs: Mapping[str, Any]) -> Teacher:
        """The teacher without its weights, for checks of outputs, classes and widths before the run."""
        if self.kept:
            return self._from_kept(self.training_faces(faces), faces.protocol.split_hash)
        return together([LiveTeacher(spec.skeleton(), spec) for spec in self._teacher_specs(specs)], self.mirror)

    def with_teacher(self, plan: Plan, faces: FaceSet, specs: Mapping[str, Any]) -> Plan:
        """``plan`` with the teacher's names, and the time of its forward passes: a third of the time of its training steps."""
        if self.kept:
            return replace(plan, text=f"{plan.text}, taught by {self._files()}")
        seconds = plan.seconds
        if seconds is not None and self.epochs:
            passes = 2.0 if self.cache else self.epochs * (2 if self.mirror else 1)
            each = sum(seconds_per_face(spec, self.precision) for spec in self._teacher_specs(specs)) / 3
            seconds += passes * len(self.training_faces(faces)) * each
        return replace(plan, text=f"{plan.text}, taught by {' and '.join(self.teachers)}", seconds=seconds)

    def teacher_for(self, train: FaceSet, job: StepContext) -> Teacher:
        """The teacher, whose rows are in the order of ``train``."""
        if self.kept:
            return self._from_kept(train, job.faces.protocol.split_hash)
        return taught_by(self.teachers, job, train, self.wish(job), self.cache, self.mirror)

    def who(self) -> str:
        """Description of the teacher, for the ledger."""
        views = ", mean of both views" if self.mirror else ""
        if self.kept:
            return f"the stored outputs {self._files()} ({', '.join(map(digest, self.kept))}{views})"
        return " and ".join(self.teachers) + (f" (outputs on plain and mirrored faces{views})" if self.cache else views)

    def fingerprint(self, job: StepContext, spec: NetSpec) -> str:
        whole = super().fingerprint(job, spec)
        return "-".join([whole, *map(digest, self.kept)])

    def _from_kept(self, train: FaceSet, split_hash: str) -> Teacher:
        return together([CachedTeacher(stored) for stored in self.kept_answers(train, split_hash)], self.mirror)

    def _files(self) -> str:
        return " and ".join(path.name for path in self.kept)

    def _teacher_specs(self, specs: Mapping[str, Any]) -> list[NetSpec]:
        return [self.spec_of(name, specs) for name in self.teachers]
