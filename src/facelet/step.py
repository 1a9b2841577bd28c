"""Interface of recipe steps: base class, registry, and the data that a step receives and returns.

A step is a pydantic model, whose fields are the keys in YAML, registered under its verb:

>>> @STEPS.register("train")
... class Train(Step):
...     net: str
...     def run(self, job: StepContext) -> StepResult: ...
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
    """Result of a step; all paths are inside its folder.

    Attributes:
        onnx: model file to measure; None if the runner exports ``net``.
        net: checkpoint (spec + safetensors); None if the step works on model files only.
        faces: pack of synthetic training faces, for steps that make faces instead of a model.
        notes: lines for the ledger and the report, such as choices, float layers, teachers.
        spent: resources used, for the ledger: {"epochs": 20, "steps": 3900, "seconds": 812.0}.
        read: hashes of the files that the step read, by its key: {"file": ["3f..."]}; the runner fills them in.
        described: fields of ModelInfo that only the step knows.
    """

    onnx: Path | None = None
    net: Path | None = None
    faces: Path | None = None
    notes: tuple[str, ...] = ()
    spent: dict[str, float] = field(default_factory=dict)
    read: dict[str, list[str]] = field(default_factory=dict)
    described: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """Description of what a step will do, shown before the run starts.

    Attributes:
        text: one line: "resnet18, 20 epochs of 25,060 faces".
        params, macs: of the resulting net; 0 if unknown before the run.
        seconds: expected time on this machine; None if unknown.
        spec: NetSpec of the resulting net; None if the result is a model file or faces.
        per_step: expected seconds of an optimizer step; 0 for steps that do not train.
    """

    text: str
    params: int = 0
    macs: int = 0
    seconds: float | None = None
    spec: Any = None
    per_step: float = 0.0


@dataclass(frozen=True)
class TrainingLength:
    """Number of training steps of a control, if the model it is compared with was trained for a given time.

    Attributes:
        of: the model or models whose steps are matched: "student", "original and pruned".
        steps: optimizer steps.
    """

    of: str
    steps: int


@dataclass
class StepContext:
    """Inputs of a running step.

    Attributes:
        name: name of the resulting model ("student").
        folder: folder of the step, kept when a run is killed and resumed.
        faces: all splits; a step uses train and val, never test.
        models: results of finished steps, by name.
        seed, device ("cpu", "cuda", "auto"), devices, nodes, precision ("auto", "fp32", "bf16").
        say: prints a line to the user (above a progress bar, if there is one).
        console: where the progress bar is drawn; None for standard output.
        recipe: title of the recipe, for metadata.
        leads: whether this process writes files; under torchrun or SLURM only the first process does.
        match: number of steps that replaces the ``minutes`` of a control, or None.
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
        """Returns the checkpoint of an earlier model. Raises FaceletError when it has none."""
        result = self.models[name]
        if result.net is None:
            raise FaceletError(
                f"{self.name!r} needs the weights of {name!r}, but that is a model file without a checkpoint"
            )
        return result.net

    def faces_of(self, name: str) -> Path:
        """Returns the pack of faces that an earlier step made."""
        faces = self.models[name].faces
        assert faces is not None, name
        return faces


class Step(BaseModel):
    """One line of a recipe. Subclasses add fields; errors for unknown keys suggest the nearest valid key.

    The runner, the ledger and the report do not depend on particular steps. A step declares what they need:

    - ``makes``: type of the result; a step that makes faces has no row in the ledger.
    - ``kind``: subject of its verdict: "shrinking" for size and speed against lost accuracy, "stopping" for mean time, ""
      for accuracy alone.
    - ``trains``: whether it takes optimizer steps, in all processes of a distributed run.
    - ``artifacts``: files in its folder that the report shows: section of the report -> file name.
    - ``without_effect``: keys that do not change the result.
    """

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    makes: ClassVar[Literal["model", "faces"]] = "model"
    kind: ClassVar[Kind] = ""
    trains: ClassVar[bool] = False
    artifacts: ClassVar[dict[Section, str]] = {}
    without_effect: ClassVar[frozenset[str]] = frozenset({"against", "seeds"})

    do: str = Field(description="the kind of step")
    name: str = Field(alias="as", description="name of the model this step makes")
    against: str | None = Field(
        None, description="model that this one is compared with in the ledger, instead of its parent"
    )
    seeds: int | None = Field(
        None,
        ge=1,
        le=100,
        description="how often this step runs, each time with another seed, if not as often as the recipe says",
    )

    @field_validator("name")
    @classmethod
    def _check_name(cls, value: str) -> str:
        if re.search(r"-s\d+$", value):
            raise ValueError("names that end in -s and a number are reserved for further seeds")
        return value

    def needs(self) -> list[str]:
        """Returns the names of earlier models that this step reads; the first is its parent in the ledger."""
        return []

    def reads(self) -> dict[str, list[Path]]:
        """Returns the files outside of the run that the step reads, by key: its fields that hold paths."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        listed = {name: list(value) if isinstance(value, list | tuple) else [value] for name, value in values.items()}
        files = {name: [each for each in value if isinstance(each, Path)] for name, value in listed.items()}
        return {name: paths for name, paths in files.items() if paths}

    def about_people(self) -> bool:
        """Returns whether the model is for face verification, measured on pairs of faces."""
        return False

    def needs_faces(self) -> list[str]:
        """Returns the names of earlier steps whose synthetic faces this step trains on."""
        return []

    def starts_from(self) -> str | None:
        """Returns the earlier model whose weights are the initial ones; None for random weights or those of a file."""
        return None

    def shape_of(self) -> str | None:
        """Returns the earlier model whose layer widths this step uses, without its weights; or None."""
        return None

    def design(self) -> tuple[Any, ...]:
        """Returns the settings that determine the resulting net; () if it cannot equal another step's.

        A control is compared with the last step of the same design.
        """
        return ()

    def allowed(self) -> float | None:
        """Returns the loss of accuracy, as a share, that the step allows; None without a limit."""
        return None

    def timed(self) -> bool:
        """Returns whether the length of the training is given as a time."""
        return False

    def as_long_as(self, models: str) -> Self:
        """Returns a copy for the plan, with the minutes replaced by as many steps as ``models`` took."""
        return self

    def plan(self, faces: FaceSet, specs: Mapping[str, Any]) -> Plan:
        """Returns a description of what ``run`` will do. ``specs``: NetSpec of each earlier model with a net.

        Raises FaceletError for problems that can be found before the run (unknown net, no training faces).
        """
        raise NotImplementedError

    def run(self, job: StepContext) -> StepResult:
        """Runs the step. When called again in the same folder after a kill, it continues to the same result."""
        raise NotImplementedError

    def check_kept(self, job: StepContext) -> bool:
        """Returns whether fingerprints in ``job.folder`` prove that it contains the result of ``run(job)``.

        False for steps without fingerprints. Raises FaceletError for other settings, faces, parents or files.
        """
        return False


STEPS: Registry[type[Step]] = Registry("step")


@dataclass(frozen=True)
class Hardware:
    """Training hardware: device "auto", "cpu" or "cuda"; devices and nodes for DDP; precision "auto", "fp32", "bf16"."""

    device: str = "auto"
    devices: int = 1
    nodes: int = 1
    precision: str = "auto"

    def __post_init__(self) -> None:
        """Raises FaceletError for invalid values."""
        for name, known in (("device", ("auto", "cpu", "cuda")), ("precision", ("auto", "fp32", "bf16"))):
            if (value := getattr(self, name)) not in known:
                raise unknown(name, value, known)
        if self.devices < 1 or self.nodes < 1:
            raise FaceletError(f"--devices {self.devices} --nodes {self.nodes}: both must be at least 1")
