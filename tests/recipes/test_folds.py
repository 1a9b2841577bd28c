"""Cross-validation: a run for each fold, which resumes, and a table over all."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from facelet.errors import FaceletError
from facelet.faces.sources.ckplus import CLASSES
from facelet.recipes import folds
from facelet.recipes.folds import resume_folds, run_folds

RECIPE = """
title: Small
faces: {source: toy, size: 32, channels: 1}
steps:
  - {do: train, as: student, net: shufflenet-v2-x0.5, epochs: 1, batch: 32}
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("recipe") / "small.yaml"
    path.write_text(RECIPE)
    return str(path)


@pytest.fixture(scope="module")
def ck(tmp_path_factory) -> Path:
    """An image of every class of twenty subjects."""
    folder, random = tmp_path_factory.mktemp("CK+48"), np.random.default_rng(0)
    for number, name in enumerate(CLASSES):
        (folder / name).mkdir()
        for subject in range(20):
            pixels = random.integers(0, 255, (16, 16), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"S{subject + 5:03d}_{number:03d}_00000009.png")
    return folder


@pytest.mark.slow
def test_each_fold_is_a_run_and_the_table_is_over_all(recipe, ck, tmp_path):
    out = io.StringIO()
    console = Console(file=out, width=200)
    folder = run_folds(2, recipe, faces=f"ckplus:{ck}", out=tmp_path / "ck", console=console)
    assert sorted(place.name for place in folder.iterdir()) == ["fold-0", "fold-1", "folds.json"]
    tests = [json.loads((folder / f"fold-{number}" / "run.json").read_text())["protocol"] for number in range(2)]
    assert tests[0]["counts"] == tests[1]["counts"]
    assert tests[0]["split_hash"] != tests[1]["split_hash"]
    assert "(2 folds)" in out.getvalue()
    before = (folder / "fold-0" / "ledger.json").stat().st_mtime_ns
    resume_folds(folder, console=Console(quiet=True))
    assert (folder / "fold-0" / "ledger.json").stat().st_mtime_ns == before, "a finished fold is not run again"


def test_a_killed_cross_validation_goes_on_with_the_fold_it_was_in(tmp_path, monkeypatch):
    begun: list[tuple[str, str]] = []

    def run(recipe="", *, resume="", out="", settings=(), **_):
        place = Path(resume or out)
        begun.append(("resumed" if resume else Path(recipe).name, place.name, *settings))
        place.mkdir(parents=True, exist_ok=True)
        (place / "run.json").touch()
        if len(begun) == 2:
            raise KeyboardInterrupt
        (place / "ledger.json").touch()

    monkeypatch.setattr(folds, "run", run)
    monkeypatch.setattr(folds, "compare", lambda folders: folders)
    monkeypatch.setattr(folds, "show", lambda comparison, console: None)
    with pytest.raises(KeyboardInterrupt):
        run_folds(3, "resvgg", out=tmp_path, settings=["seeds=2"])
    resume_folds(tmp_path, console=Console(quiet=True))
    assert begun == [
        ("resvgg", "fold-0", "seeds=2", "faces.fold=0"),
        ("recipe.yaml", "fold-1", "faces.fold=1"),
        ("resumed", "fold-1"),
        ("recipe.yaml", "fold-2", "faces.fold=2"),
    ]
    with pytest.raises(FaceletError, match="already holds a run; continue it with: facelet run --resume"):
        run_folds(3, "resvgg", out=tmp_path)


def test_mistakes(recipe, tmp_path):
    with pytest.raises(FaceletError, match="--folds 1 should be 2 to 100"):
        run_folds(1, recipe, out=tmp_path)
    with pytest.raises(FaceletError, match="'fold'"):
        run_folds(2, recipe, faces="toy", out=tmp_path / "toy", console=Console(quiet=True))
    assert not (tmp_path / "toy" / "folds.json").exists(), "the mistake can be mended and the command typed again"
