"""The recipes of published systems and our own, whole, on a few toy faces: all rows are there, each beside what it should be."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
from rich.console import Console

from facelet.learn.steps.training_step import TrainingStep
from facelet.measure.efficiency.latency import bench, mean_times
from facelet.models import model_file, saturation
from facelet.recipes import schema
from facelet.recipes.runner import run

FACES = "toy?faces=400&noise=0"


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    """Times are taken all the same, but not for long: they have tests of their own."""
    monkeypatch.setattr("facelet.recipes.finish.bench", partial(bench, rounds=3))
    monkeypatch.setattr("facelet.shrink.early_exit.mean_times", partial(mean_times, seconds=0.01))
    for room in ("learn.steps.training_step", "shrink.prune"):
        monkeypatch.setattr(f"facelet.{room}.seconds_per_face", lambda *spec: 0.0)


def small(name: str, folder: Path, more: dict[str, object]) -> dict[str, dict]:
    """Rows of a run of the toy profile in which every training is one epoch of batches of 25, but for ``more``."""
    recipe = schema.load(name, profile="toy")
    rooms = {step.name: "controls" if control else "steps" for step, control in recipe.all_steps()}
    settings = {
        f"{rooms[step.name]}.{step.name}.{key}": value
        for step, _ in recipe.all_steps()
        if isinstance(step, TrainingStep)
        for key, value in (("epochs", 1), ("batch", 25))
    }
    settings |= {f"{rooms[key.split('.')[0]]}.{key}": value for key, value in more.items()}
    written = [f"{key}={value}" for key, value in {"faces.size": 32, **settings}.items()]
    out = run(name, faces=FACES, settings=written, out=folder, console=Console(quiet=True))
    assert "<html" in (out / "report.html").read_text()
    for path in out.glob("*.onnx"):
        info = model_file.read(path)
        assert info.selftest, path
        assert not saturation.risks(path.read_bytes()), path
        assert info.target == ("portable" if info.precision == "int8" else ""), path
    return {row["name"]: row for row in json.loads((out / "ledger.json").read_text())}


@pytest.mark.slow
def test_resvgg(tmp_path):
    rows = small("resvgg", tmp_path / "run", {"original.epochs": 5, "pruned.epochs": 2})
    assert rows["original"]["accuracy"] > 0.25
    assert rows["pruned"]["params"] <= 0.19 * rows["original"]["params"]
    assert rows["random-channels"]["params"] == rows["from-scratch"]["params"] == rows["pruned"]["params"]
    assert {rows[name]["compare"] for name in ("random-channels", "from-scratch", "mobilenet-v2")} == {"pruned"}
    assert rows["pruned-int8"]["bytes"] < 0.1 * rows["original"]["bytes"]
    peers = ("mobilenet-v2", "mobilenet-v3", "squeezenet", "shufflenet-v2")
    assert all(rows[f"{peer}-int8"]["compare"] == "pruned-int8" for peer in peers)
    assert all("compared with pruned" in rows[peer]["verdict"] for peer in peers)


@pytest.mark.slow
def test_light_self_distilled(tmp_path):
    more = {"light-vgg.epochs": 6, "vgg-distilled.epochs": 3, "light-vgg-early.exits": "[1, 2, 3, 4]"}
    rows = small("light-self-distilled", tmp_path / "run", more)
    assert rows["light-vgg"]["accuracy"] > 0.3
    for light, original, exits in (("light-resnet", "resnet", 3), ("light-vgg", "vgg", 4)):
        assert rows[light]["params"] * 5 <= rows[original]["params"]
        assert rows[light]["compare"] == original
        assert rows[f"{light}-alone"]["compare"] == light
        assert rows[f"{original}-distilled"]["compare"] == original
        macs = [rows[f"{light}-exit{number}"]["macs"] for number in range(1, exits + 1)]
        assert macs == sorted(macs)
        assert macs[0] < 0.6 * rows[light]["macs"]
        info = model_file.read(tmp_path / "run" / f"{light}-early.onnx")
        assert len(info.exits.macs) == exits + 1 if light == "light-vgg" else 1 < len(info.exits.macs) <= exits + 1
        assert rows[f"{light}-early"]["mean_ms"] > 0
    assert "Early exit" in (tmp_path / "run" / "report.html").read_text()


@pytest.mark.slow
def test_rescaps(tmp_path):
    """Made faces of the one class that is asked for here; its quality, its row and every control are there."""
    more = {"plain.epochs": 4, "linear.epochs": 4, "balanced.epochs": 2}
    made = {"classes": "[happiness, surprise]", "steps": 120, "batch": 4, "to": "200", "accept": 0}
    probes = {f"early-{kind}.probe": 4 for kind in ("pruned", "shuffled")}
    more |= {f"made.{key}": value for key, value in made.items()} | probes
    rows = small("rescaps", tmp_path / "run", more)
    assert "made" not in rows
    assert rows["plain"]["accuracy"] > 0.3
    quality = json.loads((tmp_path / "run/steps/made/quality.json").read_text())[0]
    assert quality["kept"] > 0
    assert {rows[name]["compare"] for name in ("oversampled", "class-weights")} == {"balanced"}
    assert rows["pruned"]["params"] <= 0.5 * rows["balanced"]["params"]
    assert rows["random-channels"]["params"] == rows["from-scratch"]["params"] == rows["pruned"]["params"]
    assert rows["early-pruned"]["macs"] <= 0.5 * rows["plain"]["macs"]
    for kind in ("random", "uniform", "shuffled"):
        assert rows[f"early-{kind}"]["compare"] == "early-pruned"
        assert rows[f"early-{kind}"]["macs"] == pytest.approx(rows["early-pruned"]["macs"], rel=0.15)
    report = (tmp_path / "run" / "report.html").read_text()
    assert "Synthetic faces of made" in report
    assert "also trained on the synthetic faces of made" in (tmp_path / "run" / "ledger.md").read_text()


@pytest.mark.slow
def test_mobileface(tmp_path):
    rows = small("mobileface", tmp_path / "run", {"teacher.epochs": 6, "student.epochs": 4})
    assert {row["split"] for row in rows.values()} == {"test"}
    assert all(row["balanced_accuracy"] is None and row["tar_1e2"] > 0 for row in rows.values())
    assert rows["teacher"]["accuracy"] > 0.6
    assert {rows[name]["compare"] for name in ("identities", "features")} == {"student"}
    assert rows["student-int8"]["parent"] == "student"
    info = model_file.read(tmp_path / "run" / "student-int8.onnx")
    assert (info.task, info.labels, info.crop.align, info.precision) == ("identity", (), "five-points", "int8")
    assert -1 < info.threshold < 1
    assert info.figures["test_pairs"] == rows["student-int8"]["n"]
    assert "ROC curve" in (tmp_path / "run" / "report.html").read_text()
    assert "losses cosface 1, cosine 10" in (tmp_path / "run" / "ledger.md").read_text()


@pytest.mark.slow
def test_facelet(tmp_path):
    rows = small("facelet", tmp_path / "run", {"teacher.epochs": 3, "teacher2.epochs": 3, "student.epochs": 4})
    assert rows["student"]["accuracy"] > 0.25
    peers = ("shufflenet-v2", "resnet18-light", "resvgg19")
    assert {rows[name]["compare"] for name in ("student-alone", *peers)} == {"student"}
    assert {rows[f"{name}-int8"]["compare"] for name in peers} == {"student-int8"}
    assert rows["tiny-alone"]["compare"] == "tiny"
    assert rows["tiny"]["params"] < 0.5 * rows["student"]["params"]
    assert any("taught by teacher and teacher2" in note for note in rows["student"]["notes"])
    info = model_file.read(tmp_path / "run" / "student-int8.onnx")
    assert 0.2 <= info.temperature <= 5 and info.temperature != 1  # noqa: PT018


@pytest.mark.parametrize("name", ["facelet", "resvgg", "light-self-distilled", "rescaps", "mobileface"])
def test_its_page_is_there(name):
    assert (Path(__file__).parents[2] / "docs" / f"{name}.md").exists()
