"""The step ``balance``: makes synthetic faces of rare classes with CycleGANs, translating faces of the largest class.

After Liu, master's thesis, 2024: one CycleGAN from happiness, the largest class, to each other class. The size of the nets, the
length of the training and the rule of acceptance are Facelet's own choice.

In a recipe: ``{do: balance, as: made, teacher: plain, judge: linear, minutes: 60}``, later ``{do: train, ..., synthetic: made}``.
The step makes faces and no model: a pack of training faces, each named after its source face. Only training faces are used. The
teacher accepts a face when it predicts the target class; the judge, an independent classifier, scores the accepted faces.

A class of a few dozen faces is too small to learn a translation from: look at the contact sheets before using the faces.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from rich.markup import escape

from facelet.errors import FaceletError
from facelet.faces import FaceSet
from facelet.faces.inspect.contact_sheet import save_translations
from facelet.faces.sources.pack_writer import write_pack
from facelet.faces.splits import hash_order
from facelet.faces.synthetic import joined, synthetic_faces
from facelet.io import files
from facelet.learn.cyclegan.deficits import BalanceOptions, Deficit, deficits
from facelet.learn.cyclegan.model import CycleGan, CycleGanOptions, seconds_per_step, translated
from facelet.learn.cyclegan.nets import STRIDE
from facelet.learn.cyclegan.quality import Appraiser
from facelet.learn.cyclegan.unpaired_batches import Pairs
from facelet.learn.data.batches import seed_of
from facelet.learn.device import precision as precisions
from facelet.learn.engine.checkpoint import TrainingFolder
from facelet.runtime.model import Model
from facelet.step import STEPS, Plan, Section, Step, StepContext, StepResult

QUALITY = "quality.json"
"""File in the step's folder with the quality of the synthetic faces of each class, for the report."""
CHUNK = 512
"""Faces that are translated and then classified by the teacher at once."""


@STEPS.register("balance")
class Balance(Step):
    """A step that makes synthetic faces instead of a model."""

    makes: ClassVar[Literal["model", "faces"]] = "faces"
    artifacts: ClassVar[dict[Section, str]] = {"synthetic": QUALITY}

    teacher: str = Field(description="earlier model that accepts a synthetic face when it predicts the target class")
    judge: str | None = Field(
        None, description="another earlier model that classifies the accepted faces independently"
    )
    source: str | None = Field(None, description="class whose faces are translated; default: the largest")
    classes: list[str] | None = Field(None, min_length=1, description="classes to make faces of; default: all others")
    to: Literal["largest", "median"] | Annotated[int, Field(strict=True)] = Field(
        "largest",
        description="target number of faces of each class, real ones included: that of the `largest` class, of the `median` "
        "class, or a number",
    )
    limit: float = Field(10.0, gt=0, le=1000, description="largest number of synthetic faces for each real one")
    accept: float = Field(
        0.5,
        ge=0,
        le=1,
        description="lowest probability of the target class at which the teacher accepts a face, calibrated with the "
        "temperature in its file",
    )
    steps: int | None = Field(
        None, ge=1, le=10_000_000, description="training steps for each class; give either `steps` or `minutes`"
    )
    minutes: float | None = Field(
        None, gt=0, le=100_000, description="length of the training of all classes together, instead of `steps`"
    )
    batch: int = Field(16, ge=2, le=4096, description="faces of each class per step")
    width: int = Field(32, ge=4, le=512, description="channels of the generators at full size")
    blocks: int = Field(6, ge=1, le=32, description="residual blocks of the generators")
    layers: int = Field(2, ge=1, le=4, description="layers of the discriminators")
    cycle: float = Field(10.0, gt=0, le=1000, description="weight of the cycle loss beside the adversarial loss")
    identity: float = Field(5.0, ge=0, le=1000, description="weight of the identity loss beside the adversarial loss")
    pool: int = Field(
        50, ge=0, le=10_000, description="number of earlier synthetic faces that are also shown to the discriminators"
    )
    lr: float = Field(
        2e-4, gt=0, le=1, description="learning rate of Adam, constant for half of the steps and then falling to 0"
    )
    precision: precisions.Wish = Field(
        "auto",
        description="`bf16` is bfloat16 on devices with native support, else fp32 with a note; `auto` depends on the device",
    )

    @model_validator(mode="after")
    def _check(self) -> Balance:
        if (self.steps is None) == (self.minutes is None):
            raise ValueError("give either steps (for each class) or minutes (for all classes together)")
        if self.judge == self.teacher:
            raise ValueError("the judge should be another model than the teacher, which has selected the faces itself")
        if isinstance(self.to, int) and self.to < 1:
            raise ValueError("to should be at least 1")
        return self

    def needs(self) -> list[str]:
        return [self.teacher] + ([self.judge] if self.judge else [])

    @property
    def choice(self) -> CycleGanOptions:
        return CycleGanOptions(self.width, self.blocks, self.layers, self.cycle, self.identity, self.pool, self.lr)

    def plan(self, faces: FaceSet, specs: Mapping[str, Any]) -> Plan:
        train = faces.labelled("train")
        if self.judge and self.judge not in specs:
            raise FaceletError(
                f"{self.name}: the judge {self.judge!r} is a model file without a torch net; name a model that was trained"
            )
        source, wanted = self.wanted(train)
        most = sum(each.more for each in wanted)
        length = f"{self.minutes:g} minutes" if self.minutes else f"{self.steps:,} steps each"
        text = f"{train.classes[source]} to {len(wanted)} classes, {length}; up to {most:,} faces accepted by {self.teacher}"
        if self.minutes:
            return Plan(text, seconds=60 * self.minutes)
        assert self.steps is not None
        each = seconds_per_step(faces.channels, faces.size, self.choice, self.batch, self.precision)
        return Plan(text, seconds=each * self.steps * len(wanted))

    def wish(self, job: StepContext) -> precisions.Wish:
        """The requested precision: the step's own, or the run's when that is "auto"."""
        return self.precision if self.precision != "auto" else job.precision  # type: ignore[return-value]

    def wanted(self, train: FaceSet) -> tuple[int, list[Deficit]]:
        """Label of the source class, and the classes to make faces of. Raises FaceletError when they cannot be trained."""
        if train.synthetic is not None and train.synthetic.any():
            raise FaceletError(f"{self.name}: some training faces are synthetic already; balance needs real faces")
        if train.size < 2 ** (self.layers + 1):
            raise FaceletError(
                f"{self.name}: faces of {train.size} px are too small for discriminators of {self.layers} layers"
            )
        if train.size % STRIDE:
            raise FaceletError(
                f"{self.name}: faces of {train.size} px cannot be translated, the side should be a multiple of {STRIDE}: "
                f"--set faces.size={train.size + -train.size % STRIDE}"
            )
        classes = tuple(self.classes) if self.classes else None
        try:
            return deficits(train, BalanceOptions(self.to, self.limit, self.batch, self.source, classes))
        except FaceletError as error:
            raise FaceletError(f"{self.name}: {error}") from None

    def run(self, job: StepContext) -> StepResult:
        train = job.faces.labelled("train")
        source, wanted = self.wanted(train)
        pack = job.folder / "faces.pack"
        spent, parts, lines, qualities = {"steps": 0.0, "seconds": 0.0}, [], [], []
        model = job.models[self.teacher].onnx
        assert model is not None
        teacher = Model.load(model)
        appraiser = Appraiser(job, train, source, self.judge, self.wish(job))
        for each in wanted:
            folder, result = self._translate(job, train, source, each, len(wanted))
            accepted, tried = self._accepted(job, train, source, each, folder, teacher)
            parts.append(accepted)
            qualities.append(appraiser.quality(each.label, accepted, tried))
            lines.append(qualities[-1].line())
            save_translations(train, accepted, folder.with_suffix(".png"))
            job.say(f"  {escape(lines[-1])}")
            spent = {key: spent[key] + float(result[key]) for key in spent}
        whole = functools.reduce(joined, parts)
        if not len(whole):
            raise FaceletError(
                f"{self.name}: {self.teacher} predicts the target class of none of the synthetic faces; train longer"
            )
        pictures = {each.name: f"{each.label:02d}.png" for each in wanted}
        files.write_json(job.folder / QUALITY, [{**q.to_json(), "picture": pictures[q.name]} for q in qualities])
        write_pack(whole, pack)
        notes = (
            f"{len(whole):,} faces made from {train.classes[source]}, accepted by {self.teacher} at {self.accept:g} or more",
            *lines,
        )
        return StepResult(faces=pack, notes=notes, spent=spent)

    def check_kept(self, job: StepContext) -> bool:
        wanted = self.wanted(job.faces.labelled("train"))[1]
        folders = [
            TrainingFolder(job.folder / f"{each.label:02d}", self._fingerprint(job, each, len(wanted)))
            for each in wanted
        ]
        return all(folder.result() is not None for folder in folders)

    def _translate(
        self, job: StepContext, train: FaceSet, source: int, each: Deficit, classes: int
    ) -> tuple[Path, dict[str, Any]]:
        """Trains the translation to one class, or resumes it; returns its folder and result."""
        from facelet.learn.cyclegan.trainer import CycleGanConfig, translate  # Fabric takes seconds to import

        folder, seed = job.folder / f"{each.label:02d}", seed_of(job.seed, each.label)
        kept = TrainingFolder(folder, self._fingerprint(job, each, classes))
        if (done := kept.result()) is not None:
            return folder, done
        device = precisions.pick_device(job.device)
        wish = self.wish(job)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            translation = CycleGan(train.channels, self.choice)
        begun = kept.load_plan()[1]
        precision = precisions.resume(begun, device) if begun else precisions.choose(device, wish)
        if note := precisions.shortfall(device, wish, precision, begun):
            job.say(f"  {note}")
        images = [np.asarray(train.images[train.labels == label]) for label in (source, each.label)]  # copies
        plan = CycleGanConfig(
            name=f"{self.name}, {each.name}",
            translation=translation,
            pairs=Pairs(images[0], images[1], self.batch, seed),
            steps=self.steps,
            seconds=60 * self.minutes / classes if self.minutes else None,
            precision=precision,
            seed=seed,
            folder=kept,
        )
        return folder, translate(plan, job, device)

    def _accepted(
        self, job: StepContext, train: FaceSet, source: int, each: Deficit, folder: Path, teacher: Model
    ) -> tuple[FaceSet, int]:
        """The accepted synthetic faces of a class, in the order of their sources' hashes, and the number of translated faces."""
        sources = np.flatnonzero(train.labels == source)
        sources = sources[hash_order([f"{each.name}/{name}" for name in train.names[sources]])]
        column = teacher.labels.index(each.name)
        device = precisions.pick_device(job.device)
        with torch.random.fork_rng(devices=[]):
            generator = CycleGan(train.channels, self.choice).forth
        images: list[NDArray[np.uint8]] = []
        names: list[str] = []
        tried = 0
        for start in range(0, len(sources), CHUNK):
            rows = sources[start : start + CHUNK]
            faces = translated(generator, folder / "net.safetensors", np.asarray(train.images[rows]), device)
            for row, face, probabilities in zip(rows, faces, teacher.probabilities(faces), strict=True):
                tried += 1
                if probabilities.argmax() == column and probabilities[column] >= self.accept:
                    images.append(face)
                    names.append(str(train.names[row]))
                    if len(names) == each.more:
                        break
            if len(names) == each.more:
                break
        shape = (0, *train.images.shape[1:])
        accepted = np.stack(images) if images else np.empty(shape, np.uint8)
        labels = np.full(len(names), each.label, np.int64)
        rule = f"CycleGAN, {train.classes[source]} to each other class"
        return synthetic_faces(accepted, labels, names, like=train, rule=rule), tried

    def _fingerprint(self, job: StepContext, each: Deficit, classes: int) -> str:
        """Hash of everything that determines the training of a translation; which faces are accepted is not part of it."""
        names = ("source", "steps", "minutes", "batch", "precision", *CycleGanOptions.__dataclass_fields__)
        options = json.dumps([{name: getattr(self, name) for name in names}, each.name, classes, job.seed])
        faces = [job.faces.protocol.split_hash, job.faces.pixels_hash]
        return hashlib.sha256("\n".join([options, *faces]).encode()).hexdigest()[:16]
