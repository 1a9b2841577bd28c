"""The end of a run: notes, curves and the paired difference over seeds."""

from __future__ import annotations

import json

import pytest
from rich.console import Console

from facelet.errors import FaceletError
from facelet.io import files
from facelet.measure.ledger.ledger import Ledger
from facelet.recipes import finish as room
from facelet.recipes.result import write_done
from facelet.recipes.runner import run
from facelet.recipes.schema import check
from facelet.step import StepResult

NET = {"net": "resnet18", "epochs": 1}
RECIPE = """
title: Seeds
seeds: 2
faces: {source: toy, size: 32, channels: 1, faces: 160, noise: 0}
steps:
  - {do: train, as: large, net: shufflenet-v2-x0.5, epochs: 1, batch: 32}
  - {do: distill, as: small, net: resnet18, net_options: {width: 0.0625}, from: large, epochs: 1, batch: 32}
"""


@pytest.mark.slow
def test_a_run_of_several_seeds_tells_notes_once_and_draws_all_curves(tmp_path, monkeypatch):
    said = {}
    monkeypatch.setattr(room, "write_report", lambda path, **given: said.update(given))
    path = tmp_path / "seeds.yaml"
    path.write_text(RECIPE)
    folder = run(str(path), out=tmp_path / "run", console=Console(quiet=True))
    assert list(said["curves"]) == ["large", "small", "large-s1", "small-s1"]
    assert len((folder / "ledger.csv").read_text().splitlines()) == 1 + len(
        json.loads((folder / "ledger.json").read_text())
    )
    assert "\\toprule" in (folder / "ledger.tex").read_text()
    notes = [line for line in (folder / "ledger.md").read_text().splitlines() if "taught by" in line]
    assert [line.split(":")[0] for line in notes] == ["- small", "- small-s1"]
    assert said["ledger"].lead().paired
    assert all("load" not in row["machine"] for row in json.loads((folder / "ledger.json").read_text()))


@pytest.mark.slow
def test_a_step_with_seeds_of_its_own(tmp_path):
    """Its mean stands beside the one seed of the other, also when that comes later."""
    path = tmp_path / "seeds.yaml"
    text = RECIPE.replace("seeds: 2", "seeds: 1").replace(
        "distill, as: small", "train, as: small, seeds: 3, against: other"
    )
    control = "controls:\n  - {do: quantize, as: other, of: large}\n"
    path.write_text(text.replace("from: large, ", "") + control)
    folder = run(str(path), out=tmp_path / "run", console=Console(quiet=True))
    ledger = Ledger.load(folder / "ledger.json")
    assert [row.label for row in ledger.rows] == ["large", "small", "small-s1", "small-s2", "other"]
    small = next(summary for summary in ledger.summaries() if summary.row.name == "small")
    assert small.seeds == 3
    assert small.row.change == pytest.approx(small.row.accuracy - ledger.find("other").accuracy)


def test_a_step_has_no_more_seeds_than_what_it_needs():
    steps = [{"do": "train", "as": "large", **NET}, {"do": "quantize", "as": "small", "of": "large", "seeds": 2}]
    with pytest.raises(FaceletError, match="small has 2 seeds, and 'large', which it needs, has 1"):
        check({"title": "x", "steps": steps})


def test_made_faces_of_all_seeds_are_told(tmp_path):
    made = {"do": "balance", "as": "made", "teacher": "net", "steps": 1}
    recipe = check({"title": "x", "seeds": 2, "steps": [{"do": "train", "as": "net", **NET}, made]})
    for seed, label in enumerate(("made", "made-s1")):
        place = tmp_path / "steps" / label
        write_done(
            place, label, seed, StepResult(faces=place / "faces.pack", notes=(f"seed {seed}",), spent={"seconds": 1.0})
        )
        files.write_json(place / "quality.json", [{"name": "fear", "picture": "06.png"}])
    found = room._made_faces(tmp_path, recipe)
    assert [told.notes for told, _ in found.values()] == [("seed 0",), ("seed 1",)]
    assert found["made-s1"][1][0]["picture"] == tmp_path / "steps/made-s1/06.png"
