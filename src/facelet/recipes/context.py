"""What all steps of one run share: recipe, faces, hardware, folder; and the job that each of them is given.

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
    """The constants of one run.

    Attributes:
        say: prints one line. console: where a progress bar is drawn, that of ``say``; None for standard output.
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
        """Of the model: the step's name, with the seed behind it from the second seed on."""
        return step.name if seed == 0 else f"{step.name}-s{seed}"

    def place(self, step: Step, seed: int) -> Path:
        """The step's own folder."""
        return self.folder / "steps" / self.label(step, seed)

    @cached_property
    def pairs(self) -> dict[str, PairSet]:
        """What embeddings are measured on: of val faces for choices; the recipe's own, or of test faces, for figures.

        The recipe's own have the size of their source, from which each model fits them to its own.
        """
        drawn = {split: draw_pairs(self.faces.split(split)) for split in ("val", "test") if self.faces.has(split)}
        if self.recipe.pairs:
            drawn["test"] = load_pairs(self.recipe.pairs)
        return drawn

    @property
    def crop(self) -> CropInfo:
        """How models cut faces from photos."""
        asked = self.recipe.crop
        return CropInfo(align=asked.align, margin=self.faces.margin if asked.margin is None else asked.margin)

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
        """Steps of a control in place of its minutes, by what the run's folder says of those that are done."""
        whose = counted(step, self.recipe)
        if whose is None:
            return None
        more, less = (sum(self._steps(one, seed) for one in some) for some in (whose.more, whose.less))
        return TrainingLength(whose.names, more - less) if more > less else None

    def _steps(self, step: Step, seed: int) -> int:
        """Of a finished training of this seed, or of the last one where it was trained with fewer."""
        seed = min(seed, self.recipe.seeds_of(step) - 1)
        return round(files.read_json(self.place(step, seed) / "done.json")["spent"]["steps"])


def read_faces(choice: FacesChoice, pairs: str = "") -> FaceSet:
    """The faces a recipe names, with train and val and, to be honest about anything, test faces or ``pairs`` in their place."""
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
            instead = (
                "give pairs to measure on: --pairs lfw:PATH"
                if people
                else f"most sources make them of train when asked: {place}?{split}=0.15"
            )
            raise FaceletError(f"a recipe needs train, val and test faces, and {place} has no {split} faces; {instead}")
    return faces
