"""A finished run, read from its folder.

>>> run = read_run("runs/tsnet")
>>> run.ledger.rows[0].label, run.settings
('teacher', '3f0c2a9d5e7b1c44')

Two runs have the same ``settings`` if their recipes differ in the numbers of seeds alone and their faces have the same pixels,
labels and splits. Where the faces lie, and what the recipe says about itself, does not count. The folds of a cross-validation, runs
whose faces have the option ``fold``, have the same settings if they differ in it alone.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from facelet.errors import FaceletError
from facelet.io import files
from facelet.io.yaml_limits import beyond_limits
from facelet.measure.ledger.ledger import Ledger

MAX_RECIPE = 1_000_000
"""Largest size of a recipe in bytes."""
FOLDS, MAX_FOLDS = "folds.json", 100
"""File with the number of folds, in the folder of a cross-validation, and the largest number."""
WITHOUT_EFFECT = ("title", "paper", "about", "seeds", "faces", "pairs", "profiles")
"""Keys of a recipe that do not change the training of a seed. ``run.json`` has a hash of the faces, a row that of its pairs."""


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        folder: as given.
        ledger: its models; has at least one row.
        settings: hash of recipe and faces, see above.
        fold: number of its fold; None for faces without folds.
    """

    folder: Path
    ledger: Ledger
    settings: str
    fold: int | None = None

    @property
    def seeds(self) -> set[tuple[str, int, int | None]]:
        """Name, seed and fold of every row."""
        return {(row.name, row.seed, self.fold) for row in self.ledger.rows}


def fold_folders(folder: str | Path) -> list[Path]:
    """Returns the folders of all folds, begun or not. Raises FaceletError when ``folds.json`` is missing or damaged."""
    place = Path(folder)
    count = files.read_json(place / FOLDS)
    if not isinstance(count, int) or not 2 <= count <= MAX_FOLDS:
        raise FaceletError(f"{place / FOLDS} is damaged: expected a number of folds, 2 to {MAX_FOLDS}")
    return [place / f"fold-{number}" for number in range(count)]


def folds_in(folder: str | Path) -> list[Path]:
    """Returns the runs of a cross-validation in ``folder``, in the order of the folds; [] if it is not one.

    Raises FaceletError when folds have not begun, or its ``folds.json`` is damaged.
    """
    if not (Path(folder) / FOLDS).is_file():
        return []
    runs = fold_folders(folder)
    missing = [run.name for run in runs if not (run / "run.json").exists()]
    if missing:
        raise FaceletError(
            f"{folder} has no {missing[0]} yet; continue it with: facelet run --resume {shlex.quote(str(folder))}"
        )
    return runs


def read_run(folder: str | Path) -> Run:
    """Reads a run. Raises FaceletError when ``folder`` holds no run, an unfinished one, or damaged files."""
    place = files.existing(folder, "folder of a run")
    if not place.is_dir():
        raise FaceletError(f"{folder} is a file; give the folder of a run, such as {place.parent}")
    if not (place / "run.json").exists():
        raise FaceletError(f"{folder} holds no run (no run.json); {_hint(place)}")
    if not (place / "ledger.json").exists():
        raise FaceletError(
            f"the run in {folder} is not finished (no ledger.json); "
            f"continue it with: facelet run --resume {shlex.quote(str(folder))}"
        )
    ledger = Ledger.load(place / "ledger.json")
    if not ledger.rows:
        raise FaceletError(f"the ledger of {folder} has no rows")
    return Run(Path(folder), ledger, *_settings(place))


def _hint(place: Path) -> str:
    """Advice for a folder without a run: the runs in it, if there are any."""
    try:
        inside = any((child / "run.json").exists() for child in islice(place.iterdir(), files.LISTED))
    except OSError:
        inside = False
    return f"it contains runs: give {place}/*" if inside else "give a folder that `facelet run` filled"


def _settings(place: Path) -> tuple[str, int | None]:
    """Hash of a run's recipe and faces, and its fold; without a recipe, a hash that no other run has."""
    record = files.read_json(place / "run.json")
    if not isinstance(record, dict):
        raise FaceletError(f"{place / 'run.json'} is damaged: expected a mapping, got {type(record).__name__}")
    if not (place / "recipe.yaml").exists():
        return str(place.resolve()), None
    recipe = _mapping(place / "recipe.yaml")
    kept: dict[str, Any] = {key: value for key, value in recipe.items() if key not in WITHOUT_EFFECT}
    for section in ("steps", "controls"):
        steps = kept.get(section)
        kept[section] = [_without_seeds(step) for step in steps] if isinstance(steps, list) else steps
    given: list[Any] = [record.get("protocol"), record.get("pixels")]
    faces, fold = recipe.get("faces"), None
    if isinstance(faces, dict) and isinstance(faces.get("fold"), int):
        fold = faces["fold"]
        given = [{key: value for key, value in faces.items() if key != "fold"}]
    whole = json.dumps([kept, *given], sort_keys=True, default=str)
    return hashlib.sha256(whole.encode("utf-8", "replace")).hexdigest()[:16], fold


def _without_seeds(step: Any) -> Any:
    return {key: value for key, value in step.items() if key != "seeds"} if isinstance(step, dict) else step


def _mapping(path: Path) -> dict[Any, Any]:
    """The recipe of a run."""
    try:
        text = files.read_bytes(path, MAX_RECIPE).decode("utf-8")
        if trouble := beyond_limits(text):
            raise FaceletError(f"{path} is damaged: it {trouble}, and no run writes that")
        recipe = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise FaceletError(f"{path} is not a recipe: {str(error)[:200]}") from None
    if not isinstance(recipe, dict):
        raise FaceletError(f"{path} is not a recipe: expected a mapping, got {type(recipe).__name__}")
    return recipe
