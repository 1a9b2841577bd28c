"""A step: one act on models, written as a line of a recipe. The contract between recipes and what they are composed of.

A step is a pydantic model (its fields are its YAML keys) registered under its verb:

>>> @STEPS.register("train")
... class Train(Step):
...     net: str
...     def run(self, job: Job) -> StepResult: ...
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator
from rich.console import Console

from facelet.errors import FaceletError, unknown
from facelet.faces import FaceSet
from facelet.registry import Registry

Kind = Literal["", "shrinking", "stopping"]
Section = Literal["stopping", "synthetic"]


@dataclass(frozen=True)
class StepResult:
    """What a step leaves behind, all paths inside its job's folder.

    Attributes:
        onnx: model file to measure, or None when ``net`` is to be exported by the runner.
        net: checkpoint (spec + safetensors), or None when the step works on model files only.
        faces: a pack of synthetic training faces, of a step that makes faces and no model.
        notes: lines for the ledger and the report: what was chosen, what was left in float, which teacher.
        spent: what it cost, for the ledger: {"epochs": 20, "steps": 3900, "seconds": 812.0}.
    """

    onnx: Path | None = None
    net: Path | None = None
    faces: Path | None = None
    notes: tuple[str, ...] = ()
    spent: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """What a step is about to do, shown before it starts.

    Attributes:
        text: one line, reads as English: "resnet18, 20 epochs of 25,060 faces".
        params, macs: of the net it will make, 0 when not known before it runs.
        seconds: expected time on this machine, None when not known.
        spec: NetSpec of the net it will make, None where it leaves a model file or faces.
        per_step: expected seconds of one optimizer step, 0 where it takes none.
    """

    text: str
    params: int = 0
    macs: int = 0
    seconds: float | None = None
    spec: Any = None
    per_step: float = 0.0


@dataclass(frozen=True)
class TrainingLength:
    """Length of a control's training where a clock set that of the model it is compared with.

    Attributes:
        of: that model, or the models that its weights were trained as: "student", "original and pruned".
        steps: optimizer steps.
    """

    of: str
    steps: int


@dataclass
class StepContext:
    """Where and on what a step works.

    Attributes:
        name: of the model it makes ("student").
        folder: its own folder, kept between a kill and a resume.
        faces: all splits; a step reads train and val, never test.
        models: what finished steps left, by name.
        seed, device ("cpu", "cuda", "auto"), devices, nodes, precision ("auto", "fp32", "bf16").
        say: prints one line to the user (above a progress bar, when one runs).
        console: where the progress bar is drawn, that of ``say``; None for standard output.
        recipe: its title, for metadata.
        leads: whether this process writes in the folder; under torchrun or SLURM only the first one does.
        match: number of steps of a control whose ``minutes`` it replaces, or None.
    """

    name: str
    folder: Path
    faces: FaceSet
    models: dict[str, StepResult]
    seed: int = 0
    device: str = "auto"
    devices: int = 1
    nodes: int = 1
    precision: str = "auto"
    say: Callable[[str], None] = print
    console: Console | None = None
    recipe: str = ""
    leads: bool = True
    match: TrainingLength | None = None

    def net_of(self, name: str) -> Path:
        """Checkpoint of an earlier model. Raises FaceletError when it has none."""
        made = self.models[name]
        if made.net is None:
            raise FaceletError(
                f"{self.name!r} needs the weights of {name!r}, but that is a model file without a checkpoint"
            )
        return made.net

    def faces_of(self, name: str) -> Path:
        """Pack of the faces that an earlier step made."""
        faces = self.models[name].faces
        assert faces is not None, name
        return faces


class Step(BaseModel):
    """One line of a recipe. Subclasses add their own fields; unknown keys are refused with the nearest one named.

    The runner, the ledger and the report know no step by name. What they need to know, a step declares:

    - ``makes``: what it leaves; a step that makes faces has no row in the ledger.
    - ``kind``: what its verdict is about: "shrinking" for size and speed against the accuracy lost, "stopping" for mean time, ""
      for accuracy alone.
    - ``trains``: whether it takes optimizer steps, in all processes of a distributed run.
    - ``artifacts``: files in its folder that the report shows: name of a section of the report -> file name.
    - ``without_effect``: its keys that do not change the result.
    """

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    makes: ClassVar[Literal["model", "faces"]] = "model"
    kind: ClassVar[Kind] = ""
    trains: ClassVar[bool] = False
    artifacts: ClassVar[dict[Section, str]] = {}
    without_effect: ClassVar[frozenset[str]] = frozenset({"against", "seeds"})

    do: str
    name: str = Field(alias="as", description="name of the model this step makes")
    against: str | None = Field(None, description="model that its row is compared with, instead of its parent")
    seeds: int | None = Field(
        None, ge=1, le=100, description="how often it is taken, if not as often as the recipe says"
    )

    @field_validator("name")
    @classmethod
    def _check_name(cls, value: str) -> str:
        if re.search(r"-s\d+$", value):
            raise ValueError("names that end in -s and a number are those of further seeds")
        return value

    def needs(self) -> list[str]:
        """Names of earlier models that this step reads; the first is its parent in the ledger."""
        return []

    def about_people(self) -> bool:
        """Whether its model tells people apart, and is measured on pairs of faces."""
        return False

    def needs_faces(self) -> list[str]:
        """Names of earlier steps whose made faces this one trains on."""
        return []

    def starts_from(self) -> str | None:
        """Name of the earlier model whose weights this one starts from, or None for fresh weights or those of a file."""
        return None

    def shape_of(self) -> str | None:
        """Name of the earlier model whose shape alone this one has."""
        return None

    def design(self) -> tuple[Any, ...]:
        """What decides which net it makes. A control is compared with the last step of the same design; () has no equal."""
        return ()

    def allowed(self) -> float | None:
        """Accuracy, as a share, that it may cost; None where nothing is said."""
        return None

    def timed(self) -> bool:
        """Whether a clock sets how long it trains."""
        return False

    def as_long_as(self, models: str) -> Self:
        """This step as its plan shows it when its minutes are replaced by as many steps as ``models`` took."""
        return self

    def plan(self, faces: FaceSet, specs: Mapping[str, Any]) -> Plan:
        """What ``run`` will do. ``specs``: NetSpec of each earlier model that will have a net.

        Raises FaceletError when it cannot be done (unknown net, nothing to train on), before anything has been spent.
        """
        raise NotImplementedError

    def run(self, job: StepContext) -> StepResult:
        """Does it. May be called again in the same folder after a kill, and then continues to the same result."""
        raise NotImplementedError

    def check_kept(self, job: StepContext) -> bool:
        """Whether the fingerprints in ``job.folder`` say that what lies there is the result of ``run(job)``.

        False for a step that keeps no fingerprint. Raises FaceletError when they are of other settings, faces, parents or files.
        """
        return False


STEPS: Registry[type[Step]] = Registry("step")


@dataclass(frozen=True)
class Hardware:
    """Where training happens: device "auto", "cpu" or "cuda"; devices and nodes for DDP; precision "auto", "fp32", "bf16"."""

    device: str = "auto"
    devices: int = 1
    nodes: int = 1
    precision: str = "auto"

    def __post_init__(self) -> None:
        """Raises FaceletError for what no machine has."""
        for name, known in (("device", ("auto", "cpu", "cuda")), ("precision", ("auto", "fp32", "bf16"))):
            if (value := getattr(self, name)) not in known:
                raise unknown(name, value, known)
        if self.devices < 1 or self.nodes < 1:
            raise FaceletError(f"--devices {self.devices} --nodes {self.nodes}: there is at least one of each")
