"""A step in one file and one line gets plan, ledger row, verdict, report and resume: nothing else knows it by name."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import onnx
import pytest

from facelet import recipes, step
from facelet.faces import FaceSet
from facelet.models import model_file
from facelet.recipes.runner import run
from facelet.step import STEPS, Kind, Plan, Section, Step, StepContext, StepResult

RECIPE = """
title: Toy step
faces: {source: toy, size: 32, channels: 1}
steps:
  - {do: train, as: teacher, net: shufflenet-v2-x0.5, epochs: 1, batch: 16}
  - {do: rename, as: renamed, of: teacher}
"""


class Rename(Step):
    """The same model file under another name."""

    kind: ClassVar[Kind] = "shrinking"
    artifacts: ClassVar[dict[Section, str]] = {"stopping": "curve.json"}
    runs: ClassVar[list[str]] = []
    of: str

    def needs(self) -> list[str]:
        return [self.of]

    def allowed(self) -> float | None:
        return 0.25

    def plan(self, faces: FaceSet, specs: Mapping[str, Any]) -> Plan:
        return Plan(f"{self.of} under another name", seconds=0.0)

    def run(self, job: StepContext) -> StepResult:
        self.runs.append(job.name)
        path, parent = job.folder / "renamed.onnx", job.models[self.of].onnx
        assert parent is not None
        model_file.write(onnx.load(str(parent)), model_file.read(parent), path)
        point = {"threshold": 0.9, "accuracy": 0.5, "macs": 1e6, "mean_ms": 0.1}
        (job.folder / "curve.json").write_text(json.dumps([point, {**point, "mean_ms": 0.2}]))
        return StepResult(onnx=path, notes=("renamed by hand",))


@pytest.fixture
def toy_step(monkeypatch) -> type[Rename]:
    monkeypatch.setitem(STEPS._entries, "rename", Rename)
    monkeypatch.setattr(Rename, "runs", [])
    return Rename


@pytest.mark.slow
def test_a_step_of_one_file_and_one_line(toy_step, tmp_path, capsys):
    (tmp_path / "toy.yaml").write_text(RECIPE)
    folder = run(str(tmp_path / "toy.yaml"), faces="toy?faces=90", out=tmp_path / "run")
    assert "rename teacher under another name" in " ".join(capsys.readouterr().out.split())
    rows = {row["name"]: row for row in json.loads((folder / "ledger.json").read_text())}
    row = rows["renamed"]
    assert (row["step"], row["kind"], row["parent"], row["allowance"]) == ("rename", "shrinking", "teacher", 0.25)
    assert "no gain: it is not smaller than its parent" in row["verdict"]
    assert row["accuracy"] == rows["teacher"]["accuracy"]
    report = (folder / "report.html").read_text()
    assert "renamed by hand" in report
    (folder / "steps" / "renamed" / "done.json").unlink()
    run(resume=folder)
    assert toy_step.runs == ["renamed", "renamed"]
    assert {r["name"] for r in json.loads((folder / "ledger.json").read_text())} == {"teacher", "renamed"}


def test_no_step_is_known_by_name_outside_of_its_own_file():
    """Rooms that run, measure and report say no verb of a step; ``do`` stands in the ledger, and nothing asks for it."""
    root = Path(step.__file__).parent
    verbs = {f'"{name}"' for name in STEPS if "-" in name or name in ("quantize", "prune", "distill", "adopt", "embed")}
    for room in (Path(recipes.__file__).parent, root / "measure"):
        for path in room.rglob("*.py"):
            text = path.read_text()
            assert not [verb for verb in verbs if verb in text], path
            assert "step.do ==" not in text, path
            assert not re.search(r"isinstance\(step, (?!dict)", text), path
