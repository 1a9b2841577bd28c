"""Data shared by all steps of a run: recipe, faces, hardware, folder; and the StepContext of each step.

>>> work = RunContext(recipe, read_faces(recipe.faces), folder, Hardware(), console.print, console)
>>> job = work.job(step, seed=0, models={})
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rich.console import Console

from facelet.errors import FaceletError
from facelet.faces import FaceSet, PairSet, load_pairs
from facelet.faces import load as load_faces
from facelet.faces.concat import concat
from facelet.faces.pairset import draw_pairs
from facelet.io import files
from facelet.models.model_file import CropInfo
from facelet.recipes.controls import counted
from facelet.recipes.schema import FacesChoice, Recipe
from facelet.step import Hardware, Step, StepContext, StepResult, TrainingLength


@dataclass(frozen=True)
class RunContext:
    """Constants of a run.

    Attributes:
        say: prints a line.
        console: where progress bars are drawn; None for standard output.
        leads: whether this process writes in the folder.
    """

    recipe: Recipe
    faces: FaceSet
    folder: Path
    hardware: Hardware
    say: Callable[[str], None]
    console: Console | None = None
    leads: bool = True

    def label(self, step: Step, seed: int) -> str:
        """Returns the model's label: the step's name, with the seed as suffix for seeds other than 0."""
        return step.name if seed == 0 else f"{step.name}-s{seed}"

    def place(self, step: Step, seed: int) -> Path:
        """Returns the folder of the step."""
        return self.folder / "steps" / self.label(step, seed)

    @cached_property
    def pairs(self) -> dict[str, PairSet]:
        """Pairs to evaluate embeddings on: "val" drawn from validation faces, "test" from the recipe's pairs or test faces.

        The recipe's pairs have the image size of their source; they are resized for each model.
        """
        drawn = {split: draw_pairs(self.faces.split(split)) for split in ("val", "test") if self.faces.has(split)}
        if self.recipe.pairs:
            drawn["test"] = load_pairs(self.recipe.pairs)
        return drawn

    @property
    def crop(self) -> CropInfo:
        """How models crop faces from photos."""
        crop = self.recipe.crop
        return CropInfo(align=crop.align, margin=self.faces.margin if crop.margin is None else crop.margin)

    def job(self, step: Step, seed: int, models: dict[str, StepResult]) -> StepContext:
        return StepContext(
            name=step.name,
            folder=self.place(step, seed),
            faces=self.faces,
            models=models,
            seed=seed,
            device=self.hardware.device,
            devices=self.hardware.devices,
            nodes=self.hardware.nodes,
            precision=self.hardware.precision,
            say=self.say,
            console=self.console,
            recipe=self.recipe.title,
            leads=self.leads,
            match=self._match(step, seed),
        )

    def _match(self, step: Step, seed: int) -> TrainingLength | None:
        """Returns the number of steps that replaces a control's minutes, from the finished steps in the run's folder."""
        trainings = counted(step, self.recipe)
        if trainings is None:
            return None
        more, less = (sum(self._steps(each, seed) for each in steps) for steps in (trainings.more, trainings.less))
        return TrainingLength(trainings.names, more - less) if more > less else None

    def _steps(self, step: Step, seed: int) -> int:
        """Returns the optimizer steps of a finished training with this seed, or with its last seed if it has fewer."""
        seed = min(seed, self.recipe.seeds_of(step) - 1)
        return round(files.read_json(self.place(step, seed) / "done.json")["spent"]["steps"])


def read_faces(choice: FacesChoice, pairs: str = "") -> FaceSet:
    """Loads a recipe's faces. Raises FaceletError without train, val and, unless there are ``pairs``, test faces."""
    place = f"{choice.source}:{choice.path}" if choice.path else choice.source
    faces = load_faces(place, size=choice.size, channels=choice.channels, **choice.options)
    framing = {"margin": faces.margin} if "margin" in choice.options else {}
    if choice.also:
        others = [
            load_faces(other, size=choice.size, channels=choice.channels or faces.channels, **framing)
            for other in choice.also
        ]
        faces = concat([faces, *others])
    for split in ("train", "val") if pairs else ("train", "val", "test"):
        if not faces.has(split):
            people = split == "test" and faces.identities is not None
            hint = (
                "give pairs to measure on: --pairs lfw:PATH"
                if people
                else f"most sources can split them off from train: {place}?{split}=0.15"
            )
            raise FaceletError(f"a recipe needs train, val and test faces, and {place} has no {split} faces; {hint}")
    return faces
