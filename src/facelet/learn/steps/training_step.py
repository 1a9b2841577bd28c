"""Base class of the steps that train a net: options, plan, and the TrainingConfig of a run.

>>> @STEPS.register("train")
... class Train(TrainingStep):
...     def objective(self, net, spec, train, job): return ClassificationTask(spec, **self.hard_options(train))

A subclass defines ``objective``, the TrainingTask to minimise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch

from facelet import nets
from facelet.errors import FaceletError
from facelet.faces import FaceSet
from facelet.faces.sources.pack import pack
from facelet.faces.synthetic import joined
from facelet.io.files import existing
from facelet.learn.data.augment import augmentation
from facelet.learn.data.batches import FaceBatches, Faces
from facelet.learn.data.statistics import class_shares, class_weights, input_statistics
from facelet.learn.device import precision as precisions
from facelet.learn.engine.checkpoint import TrainingFolder
from facelet.learn.engine.config import TrainingConfig
from facelet.learn.engine.estimate import seconds_per_face
from facelet.learn.engine.schedule import by_epochs, by_steps
from facelet.learn.engine.val_metrics import ClassificationMetric, ValidationMetric
from facelet.learn.steps.training_options import ADJUSTED, TrainingOptions
from facelet.learn.tasks.task import TrainingTask
from facelet.learn.teachers.predictions import digest
from facelet.measure.efficiency.cost import net_cost
from facelet.nets import FaceNet, NetSpec
from facelet.nets.layers.exits import without_exits
from facelet.nets.transfer import inherit
from facelet.step import Plan, Step, StepContext, StepResult


class TrainingStep(TrainingOptions):
    """A step that trains a net."""

    without_effect: ClassVar[frozenset[str]] = Step.without_effect | {"tensorboard", "record"}

    def needs(self) -> list[str]:
        return [self.before] if self.before else []

    def needs_faces(self) -> list[str]:
        return [self.synthetic] if self.synthetic else []

    def objective(self, net: FaceNet, spec: NetSpec, train: FaceSet, job: StepContext) -> TrainingTask:
        """The task to minimise. ``train``: the training faces, in the order of the batches' ``rows``."""
        raise NotImplementedError

    def training_faces(self, faces: FaceSet) -> FaceSet:
        """The labelled training faces. Raises FaceletError when they have fewer than two classes."""
        train = faces.labelled("train")
        self.require_votes(train)
        present = np.unique(train.labels)
        if len(present) < 2:
            only = faces.classes[present[0]]
            raise FaceletError(
                f"{self.name}: all labelled training faces of {faces.source} are {only!r}; at least two classes are needed"
            )
        return train

    def require_votes(self, train: FaceSet) -> None:
        """Raises FaceletError when ``targets: votes`` is set and the faces have no votes."""
        if self.targets == "votes" and train.votes is None:
            raise FaceletError(f"{self.name}: targets: votes needs annotators' votes, and {train.source} has none")

    def validation_faces(self, faces: FaceSet) -> FaceSet:
        """The faces of the ValidationMetric. Raises FaceletError when there are none."""
        return faces.labelled("val")

    def exam(self, faces: FaceSet, spec: NetSpec) -> ValidationMetric:
        """The validation metric, computed on ``validation_faces`` during the training."""
        return ClassificationMetric(Faces.of(self.validation_faces(faces)))

    def batch_faces(self, train: FaceSet) -> Faces:
        """The training faces with the labels that ``objective`` reads."""
        return Faces.of(train)

    def classes(self, faces: FaceSet) -> int:
        """Number of output classes; 0 for an embedding net."""
        return len(faces.classes)

    def all_faces(self, job: StepContext) -> FaceSet:
        """``training_faces``, followed by the synthetic faces of ``synthetic``."""
        train = self.training_faces(job.faces)
        return joined(train, pack(str(job.faces_of(self.synthetic)))) if self.synthetic else train

    def given(self) -> tuple[FaceNet, NetSpec] | None:
        """Net and spec of ``checkpoint``, or None. Raises FaceletError when the file holds no net."""
        return nets.load(existing(self.checkpoint, "checkpoint")) if self.checkpoint else None

    def spec_of(self, name: str, specs: Mapping[str, Any]) -> NetSpec:
        """Spec of an earlier model. Raises FaceletError when its step makes no torch net."""
        if name not in specs:
            raise FaceletError(f"{self.name} needs the weights of {name!r}, and that step makes only a model file")
        return specs[name]

    def hard_options(self, train: FaceSet) -> dict[str, Any]:
        """Arguments of TrainingTask that follow from the fields."""
        weighted = self.balance == "class-weights"
        votes = train.votes if self.targets == "votes" else None
        return {
            "votes": self.targets == "votes",
            "smoothing": self.label_smoothing,
            "loss": self.loss,
            "weights": class_weights(train.labels, len(train.classes)).tolist() if weighted else None,
            "shares": class_shares(train.labels, votes, len(train.classes)).tolist()
            if self.balance in ADJUSTED
            else None,
            "tau": self.tau,
        }

    def spec_for(self, faces: FaceSet, train: FaceSet, before: NetSpec | None) -> NetSpec:
        """Spec of the net to train. ``before``: spec of the model that gives the initial weights or the widths, or None."""
        if before is not None:
            if before.channels != faces.channels:
                raise FaceletError(
                    f"{self.name}: the net of {self.before or self.checkpoint} takes faces of {before.channels} channels, "
                    f"these have {faces.channels}"
                )
            return replace(before, classes=self.classes(faces), size=self.size or faces.size, exits=None)
        assert self.net is not None
        mean, std = input_statistics(train.images)
        try:
            return nets.resolve(
                self.net,
                classes=self.classes(faces),
                size=self.size or faces.size,
                channels=faces.channels,
                mean=mean,
                std=std,
                **self.net_options,
            )
        except TypeError as error:  # an option of resolve's own name, such as classes
            raise FaceletError(f"{self.name}: net_options cannot set {', '.join(self.net_options)}") from error

    def plan(self, faces: FaceSet, specs: Mapping[str, Any]) -> Plan:
        train, val = self.training_faces(faces), self.validation_faces(faces)
        given = self.given()
        before = self.spec_of(self.before, specs) if self.before else given[1] if given else None
        spec = self.spec_for(faces, train, before)
        cost = net_cost(without_exits(spec.skeleton()), spec)
        what = (
            f"{spec.name} with the widths of {self.widths_of}, fresh weights"
            if self.widths_of
            else self.of or spec.name
        )
        what += f" from {self.checkpoint}" if self.checkpoint else ""
        more = f", real and from {self.synthetic}" if self.synthetic else ""
        text = f"{what}, {self.length(len(train))}{more}"
        shown = (self.epochs or 0) * (len(train) + len(val) / 3)
        each = seconds_per_face(spec, self.precision)
        seconds = self.minutes * 60 if self.minutes else shown * each
        return Plan(text, cost.params, cost.macs, seconds, spec, each * self.batch)

    def run(self, job: StepContext) -> StepResult:
        from facelet.learn.engine.fit import train  # Fabric takes seconds to import: not before it is needed

        device = precisions.pick_device(job.device)
        folder, spec, before = self._training_folder(job)
        result = folder.result()
        if result is None:
            faces = self.all_faces(job)
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(job.seed)
                net, spec = self.start(job, spec, before, faces)
                objective = self.objective(net, spec, faces, job)
            result = train(self._training(job, net, spec, objective, faces, folder), job, device)
        spent = {key: result[key] for key in ("epochs", "steps", "seconds")}
        return StepResult(
            net=folder.net_path,
            notes=(*self.notes(job), *self.length_notes(spent, job)),
            spent=spent,
            described=self.described(),
        )

    def check_kept(self, job: StepContext) -> bool:
        return self._training_folder(job)[0].result() is not None

    def _training_folder(self, job: StepContext) -> tuple[TrainingFolder, NetSpec, tuple[FaceNet, NetSpec] | None]:
        """The training's folder, the spec of its net, and the model that gives the initial weights or the widths."""
        before = nets.load(job.net_of(self.before)) if self.before else self.given()
        spec = self.spec_for(job.faces, self.training_faces(job.faces), before[1] if before else None)
        return TrainingFolder(job.folder, self.fingerprint(job, spec)), spec, before

    def start(
        self, job: StepContext, spec: NetSpec, before: tuple[FaceNet, NetSpec] | None, faces: FaceSet
    ) -> tuple[FaceNet, NetSpec]:
        """The net to train with its initial weights. ``before``: the model that gives the weights or the widths, or None."""
        net = spec.build()
        if before and not self.widths_of:
            fresh = inherit(without_exits(net), without_exits(before[0]), self.name, self.of or str(self.checkpoint))
            if fresh:
                job.say(f"  {fresh}")
        return net, spec

    def _training(
        self,
        job: StepContext,
        net: FaceNet,
        spec: NetSpec,
        objective: TrainingTask,
        train: FaceSet,
        folder: TrainingFolder,
    ) -> TrainingConfig:
        """Configuration of the training. Its plan is saved in the folder, so that a resumed training has the same one."""
        device, exam = precisions.pick_device(job.device), self.exam(job.faces, spec)
        batches = FaceBatches(
            self.batch_faces(train),
            size=self.batch,
            seed=job.seed,
            augment=augmentation(self.augment),
            balanced=self.balance == "sampler",
            epoch=len(self.training_faces(job.faces)),  # with synthetic faces as many steps as without
        )
        schedule, kept = folder.load_plan()
        match = job.match if self.minutes else None
        if schedule is None:
            counts = {"steps_per_epoch": batches.steps_per_epoch, "train": batches.epoch, "val": len(exam.faces)}
            if match:
                schedule = by_steps(match.steps, **counts, warmup=self.warmup)
            elif self.epochs:
                schedule = by_epochs(self.epochs, **counts, warmup=self.warmup)
        precision = precisions.resume(kept, device) if kept else precisions.choose(device, self.wish(job))
        if job.leads:
            folder.save_plan(schedule, precision)
        if note := precisions.shortfall(device, self.wish(job), precision, kept):
            job.say(f"  {note}")
        job.say(f"  {device.type}, {precision}, batches of {batches.size} faces")
        if match and schedule:
            job.say(f"  {schedule.total:,} steps, {schedule.epochs:.2f} epochs: as many as {match.of}")
        return TrainingConfig(
            name=job.name,
            net=net,
            spec=spec,
            objective=objective,
            batches=batches,
            exam=exam,
            schedule=schedule,
            seconds=self.minutes * 60 if self.minutes and not match else None,
            optimization=self.optimization(),
            ema=self.ema,
            precision=precision,
            seed=job.seed,
            folder=folder,
            warmup=self.warmup,
            tensorboard=self.tensorboard,
            record=self.record,
        )

    def wish(self, job: StepContext) -> precisions.Wish:
        """The requested precision: the step's own, or the run's when that is "auto"."""
        return self.precision if self.precision != "auto" else job.precision  # type: ignore[return-value]

    def notes(self, job: StepContext) -> tuple[str, ...]:
        """Lines for the ledger."""
        start = [f"weights start from {self.of}"] if self.of else []
        if self.checkpoint:
            start = [f"weights start from {self.checkpoint.name} ({digest(self.checkpoint)})"]
        shape = [f"fresh weights, widths of {self.widths_of}"] if self.widths_of else []
        more = [f"also trained on the synthetic faces of {self.synthetic}"] if self.synthetic else []
        return (*start, *shape, *more)

    def length_notes(self, spent: Mapping[str, float], job: StepContext) -> tuple[str, ...]:
        """Lines for the ledger: when a control's steps replaced its minutes, and when the training is shorter than one epoch."""
        if not self.minutes:
            return ()
        match = job.match
        lines = [f"trained for {spent['steps']:,.0f} steps, as many as {match.of}"] if match else []
        if spent["epochs"] < 1:
            within = "" if match else f" in {self.minutes:g} minutes"
            lines.append(f"trained for {spent['epochs']:.2f} of an epoch{within}: not every face was seen")
        return tuple(lines)

    def fingerprint(self, job: StepContext, spec: NetSpec) -> str:
        """Hash of everything that determines the result, except the hardware."""
        # Fields that came later count only if they are used, so that trainings begun before them can be resumed.
        unused = set() if self.balance == "logit-adjustment" else {"tau"}
        options = self.model_dump_json(exclude={*self.without_effect, "checkpoint", *unused})
        parents = [digest(job.net_of(name)) for name in self.needs()]
        parents += [digest(job.faces_of(name)) for name in self.needs_faces()]
        parents += [digest(self.checkpoint)] if self.checkpoint else []
        faces = [job.faces.protocol.split_hash, job.faces.pixels_hash]
        match = [f"{job.match.steps} steps"] if job.match and self.minutes else []
        whole = "\n".join([options, spec.to_json(), *faces, str(job.seed), *parents, *match])
        return hashlib.sha256(whole.encode()).hexdigest()[:16]
