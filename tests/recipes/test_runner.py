"""A whole run on toy faces: what it leaves behind, what it refuses, and that a killed one ends with the same numbers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from facelet.errors import FaceletError
from facelet.models import model_file
from facelet.nets.spec import load as load_checkpoint
from facelet.recipes import schema
from facelet.recipes.runner import Hardware, _choose, _machine, read_faces, run

RECIPE = """
title: Small
faces: {source: toy, size: 32, channels: 1, faces: 400, noise: 0}
steps:
  - {do: train, as: student, net: shufflenet-v2-x0.5, epochs: 3, batch: 32}
  - {do: quantize, as: student-int8, of: student, faces: 64, allowance: 5}
controls:
  - {do: train, as: again, net: shufflenet-v2-x0.5, epochs: 1, batch: 32}
"""
FIGURES = ("accuracy", "balanced_accuracy", "ece", "val_accuracy", "params", "macs", "n", "protocol")


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "small.yaml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="module")
def finished(recipe, tmp_path_factory) -> Path:
    return run(str(recipe), out=tmp_path_factory.mktemp("whole") / "run", console=Console(quiet=True))


def rows_of(folder: Path) -> dict[str, dict]:
    return {row["name"]: row for row in json.loads((folder / "ledger.json").read_text())}


def test_a_run_leaves_models_ledger_and_report(finished):
    rows = rows_of(finished)
    assert list(rows) == ["student", "student-int8", "again"]
    needed = "name parent step protocol split n accuracy accuracy_low accuracy_high balanced_accuracy params macs bytes p50_ms"
    for row in rows.values():
        assert set(needed.split()) | {"p95_ms", "verdict"} <= set(row)
        assert row["split"] == "test"
        assert row["verdict"]
    assert rows["student-int8"]["parent"] == "student"
    assert rows["again"]["control"]
    assert rows["again"]["compare"] == "student"
    assert "<html" in (finished / "report.html").read_text()
    assert "student-int8" in (finished / "ledger.md").read_text()


def test_a_model_file_says_what_it_is(finished):
    info = model_file.read(finished / "student-int8.onnx")
    assert (info.name, info.parent, info.precision, info.recipe) == ("student-int8", "student", "int8", "Small")
    assert info.figures["test_accuracy"] == pytest.approx(rows_of(finished)["student-int8"]["accuracy"], abs=1e-5)
    assert info.protocol["source"] == "toy"


@pytest.mark.slow
def test_every_checkpoint_reloads_in_a_clean_process(finished):
    for path in finished.glob("steps/*/net.safetensors"):
        code = f"from facelet.nets.spec import load; net, spec = load({str(path)!r}); print(spec.name)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == load_checkpoint(path)[1].name


@pytest.mark.slow
def test_pairs_are_asked_for_before_anything_is_spent(recipe, tmp_path):
    quiet = Console(quiet=True)
    with pytest.raises(FaceletError, match="no step of this recipe makes one"):
        run(str(recipe), pairs="lfw:gone.zip", out=tmp_path / "classes", console=quiet)
    people = tmp_path / "people.yaml"
    people.write_text(
        "title: People\nfaces: {source: toy, size: 32, faces: 60, identities: 3}\n"
        "steps:\n  - {do: embed, as: net, net: mobilefacenet, net_options: {width: 0.125}, epochs: 1}\n"
    )
    with pytest.raises(FaceletError, match="at least 3 people"):
        run(str(people), out=tmp_path / "few", console=quiet)
    settings = ["steps.net.losses={cosine: 1}", "steps.net.answers=gone.npz"]
    with pytest.raises(FaceletError, match=r"cannot read gone\.npz"):
        run(str(people), faces="toy?faces=300&identities=30", out=tmp_path / "few", settings=settings, console=quiet)
    with pytest.raises(FaceletError, match=r"lfw:.*gone.zip|gone.zip"):
        run(
            str(people), faces="toy?faces=300&identities=30", pairs="lfw:gone.zip", out=tmp_path / "gone", console=quiet
        )
    assert not (tmp_path / "gone" / "run.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize("error", [KeyboardInterrupt(), FaceletError("`facelet run --resume RUN` continues there")])
def test_how_to_continue_names_the_folder(recipe, tmp_path, monkeypatch, error):
    def stop(*_):
        raise error

    monkeypatch.setattr("facelet.recipes.runner._take", stop)
    folder = tmp_path / "my run"
    with pytest.raises(type(error), match=rf"facelet run --resume '{folder}'"):
        run(str(recipe), out=folder, console=Console(quiet=True))


def test_a_finished_run_is_not_begun_again_by_accident(recipe, finished):
    with pytest.raises(FaceletError, match="already holds a run"):
        run(str(recipe), out=finished, console=Console(quiet=True))


def test_written_faces_replace_those_of_the_recipe(recipe):
    chosen = _choose(str(recipe), "toy?faces=90&seed=3", "", [])
    assert (chosen.faces.source, chosen.faces.path, chosen.faces.size) == ("toy", "", 32)
    assert len(read_faces(chosen.faces)) == 90


def test_another_source_brings_its_own_options(recipe, tmp_path):
    settings = ["faces.size=24", "faces.rule=votes"]
    chosen = _choose(str(recipe), "ferplus:/photos/\U0001f600/no.zip?val=0.2", "", settings)
    assert (chosen.faces.source, chosen.faces.path) == ("ferplus", "/photos/\U0001f600/no.zip")
    assert (chosen.faces.size, chosen.faces.channels) == (24, 1)
    assert chosen.faces.options == {"rule": "votes", "val": "0.2"}
    assert _choose(str(recipe), "toy?seed=3", "", []).faces.options == {"faces": 400, "noise": 0, "seed": "3"}
    path = os.fsdecode(b"/photos/\xff.zip")
    (tmp_path / "again.yaml").write_text(schema.dump(_choose(str(recipe), f"ferplus:{path}", "", [])))
    assert schema.load(str(tmp_path / "again.yaml")).faces.path == path
    with pytest.raises(FaceletError, match=r"--faces toy.size=big: size: .*integer"):
        _choose(str(recipe), "toy?size=big", "", [])


def test_faces_redrawn_under_the_same_names_are_refused(finished, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    folder.mkdir()
    for name in ("run.json", "recipe.yaml"):
        (folder / name).write_bytes((finished / name).read_bytes())

    def redrawn(choice, *pairs):
        faces = read_faces(choice, *pairs)
        faces.images = 255 - faces.images
        return faces

    monkeypatch.setattr("facelet.recipes.runner.read_faces", redrawn)
    with pytest.raises(FaceletError, match="pixels of the faces changed"):
        run(resume=folder, console=Console(quiet=True))


@pytest.mark.slow
def test_a_run_resumes_whatever_its_faces_are_noted_with(finished, monkeypatch):
    def noted(choice, *pairs):
        faces = read_faces(choice, *pairs)
        faces.notes = (*faces.notes, "1 other files ignored (.db)")
        return faces

    monkeypatch.setattr("facelet.recipes.runner.read_faces", noted)
    assert run(resume=finished, console=Console(quiet=True)) == finished


def test_names_of_further_seeds_are_kept_free(tmp_path):
    path = tmp_path / "seeds.yaml"
    path.write_text(RECIPE.replace("as: again", "as: student-s1"))
    with pytest.raises(FaceletError, match=r"student-s1.*further seeds"):
        schema.load(str(path))


@pytest.mark.slow
def test_resuming_a_finished_run_repeats_nothing(finished):
    before = {path: path.stat().st_mtime_ns for path in finished.glob("steps/*/*")}
    run(resume=finished, console=Console(quiet=True))
    assert before == {path: path.stat().st_mtime_ns for path in finished.glob("steps/*/*")}


def test_a_refused_plan_leaves_the_folder_free(recipe, tmp_path):
    with pytest.raises(FaceletError, match="did you mean 'resnet18'"):
        run(str(recipe), out=tmp_path / "run", settings=["steps.student.net=resnet19"], console=Console(quiet=True))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_a_run_cannot_be_resumed(tmp_path):
    with pytest.raises(FaceletError, match="no run to resume"):
        run(resume=tmp_path, console=Console(quiet=True))


CHECKPOINT_ALWAYS = """
from facelet.cli.app import main
from facelet.learn.engine import checkpoint
checkpoint.SECONDS = checkpoint.COST = 0.0
main()
"""


@pytest.mark.slow
def test_a_killed_run_ends_with_the_numbers_of_an_unbroken_one(recipe, finished, tmp_path, killed):
    """SIGKILL within both trainings and after the first one, before it is exported or quantized; then --resume."""
    folder = tmp_path / "run"
    steps = folder / "steps"
    words = ["run", str(recipe), "--out", str(folder)]
    for path, write in (
        (steps / "student/state.pt", 3),
        (steps / "student/state.pt", 4),
        (steps / "student/result.json", 1),
        (steps / "again/state.pt", 2),
    ):
        killed(CHECKPOINT_ALWAYS, words, path, write)
        words = ["run", "--resume", str(folder)]
    done = subprocess.run([sys.executable, "-c", CHECKPOINT_ALWAYS, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "continues after step" in done.stdout
    whole, broken = rows_of(finished), rows_of(folder)
    for name, row in whole.items():
        if name == "student-int8":
            continue  # its types are chosen by timing
        assert {key: row[key] for key in FIGURES} == {key: broken[name][key] for key in FIGURES}, name
    for name in ("student", "again"):
        first, second = (load_checkpoint(place / "steps" / name / "net.safetensors")[0] for place in (finished, folder))
        for one, other in zip(first.state_dict().values(), second.state_dict().values(), strict=True):
            np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_the_machine_that_trains_is_told():
    assert _machine(Hardware(device="cpu")).endswith("; trained on CPU")
    assert _machine(Hardware(device="cpu", devices=2, nodes=2)).endswith("; trained on 4 x CPU")
