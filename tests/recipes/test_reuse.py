"""A run that takes over steps of an earlier one: which, why not the others, what it leaves, and that the earlier one stays."""

from __future__ import annotations

import functools
import io
import json
import re
import shutil
import sys
from pathlib import Path

import pytest
import tiny_onnx
from rich.console import Console

from facelet.errors import FaceletError
from facelet.learn.device.launch import Launch
from facelet.measure.efficiency.latency import bench
from facelet.recipes import reuse, schema
from facelet.recipes.context import RunContext
from facelet.recipes.lock import locked
from facelet.recipes.reuse import choose
from facelet.recipes.runner import Hardware, read_faces, run

RECIPE = """
title: Small
faces: {source: toy, size: 32, channels: 1, faces: 150, noise: 0}
steps:
  - {do: train,    as: teacher, net: timm/test_convnext, epochs: 1, batch: 32}
  - {do: distill,  as: student, net: timm/test_convnext, from: teacher, cache: true, epochs: 1, batch: 32}
  - {do: quantize, as: student-int8, of: student, faces: 16, allowance: 50}
controls:
  - {do: train,    as: alone, net: timm/test_convnext, epochs: 1, batch: 32, seeds: 1}
"""
FIGURES = ("accuracy", "balanced_accuracy", "ece", "val_accuracy", "params", "macs", "n", "protocol")
AGAIN, AGAIN_STUDENT = (f"{name}, which it needs, is made anew" for name in ("teacher", "student"))
LR = "steps.student.lr=0.001"
QUIET = Console(quiet=True)
MAIN = "from facelet.cli.app import main\nmain()"


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "small.yaml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="module")
def finished(recipe, tmp_path_factory) -> Path:
    """The earlier run. No test may change it."""
    folder = run(str(recipe), out=tmp_path_factory.mktemp("whole") / "run", console=QUIET)
    before = _contents(folder)
    yield folder
    assert _contents(folder) == before


@pytest.fixture(scope="module")
def fresh(recipe, tmp_path_factory) -> Path:
    """What a run with another setting of the student leaves when it takes nothing over."""
    return run(
        str(recipe), out=tmp_path_factory.mktemp("fresh") / "run", settings=[LR], only=["student"], console=QUIET
    )


@pytest.fixture
def copied(finished, tmp_path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "earlier"))


@pytest.fixture(scope="module", autouse=True)
def timed_briefly():
    """Latency is not what these tests are about."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("facelet.recipes.finish.bench", functools.partial(bench, rounds=1))
        yield


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rows_of(folder: Path) -> dict[tuple[str, int], dict]:
    return {(row["name"], row["seed"]): row for row in json.loads((folder / "ledger.json").read_text())}


def reasons(earlier: Path, place: Path, settings=(), recipe: Path | None = None) -> dict[str, str]:
    """Why each step of a run with other settings would be made anew."""
    chosen = schema.load(str(recipe or earlier / "recipe.yaml"), settings=list(settings))
    work = RunContext(chosen, read_faces(chosen.faces), place, Hardware(), print)
    return {choice.label: choice.why for choice in choose(work, earlier)}


def same(mine: Path, other: Path, names) -> None:
    """The models of both runs are the same, to the bit where no timing has a say."""
    for name in names:
        first, second = rows_of(mine)[name, 0], rows_of(other)[name, 0]
        assert {key: first[key] for key in FIGURES} == {key: second[key] for key in FIGURES}, name
        weights = [folder / "steps" / name / "net.safetensors" for folder in (mine, other)]
        assert weights[0].read_bytes() == weights[1].read_bytes(), name


@pytest.mark.slow
def test_the_teacher_is_kept_when_the_student_changes(finished, fresh, tmp_path):
    console = Console(file=io.StringIO(), width=200)
    folder = run(reuse=finished, out=tmp_path / "new", settings=[LR], console=console)
    said = console.file.getvalue()
    assert f"teacher: taken over from {finished}\n" in said
    assert f"alone: taken over from {finished}\n" in said
    assert "student: made anew; its settings differ: lr none there, 0.001 here\n" in said
    assert "student-int8: made anew; student, which it needs, is made anew\n" in said
    assert len(re.findall("taken over *\n", said)) == 2  # in the plan, where a time would stand
    assert "runs teacher" not in said  # its stored predictions were copied, too
    same(folder, fresh, ["teacher", "student"])
    assert (folder / "teacher.onnx").read_bytes() == (finished / "teacher.onnx").read_bytes()
    new = rows_of(folder)
    assert new["teacher", 0]["notes"][-1] == "taken over from the run run"
    assert not any("taken over" in note for note in new["student", 0]["notes"])
    assert "teacher: taken over from the run run" in (folder / "ledger.md").read_text()
    noted = json.loads((folder / "run.json").read_text())["from"]
    assert (noted["run"], noted["taken_over"]) == (str(finished), ["teacher", "alone"])
    assert list(noted["made_anew"]) == ["student", "student-int8"]
    made = {path: path.stat().st_mtime_ns for path in folder.glob("steps/*/*")}
    run(resume=folder, console=QUIET)
    assert made == {path: path.stat().st_mtime_ns for path in folder.glob("steps/*/*")}
    third = run(reuse=folder, settings=["title=Third"], console=QUIET)
    assert third == tmp_path / "new-2"
    assert rows_of(third)["teacher", 0]["notes"] == new["teacher", 0]["notes"]
    assert rows_of(third)["student", 0]["notes"][-1] == "taken over from the run new"


def test_of_what_is_made_of_a_changed_step_nothing_is_taken(finished, tmp_path):
    why = reasons(finished, tmp_path, ["steps.teacher.epochs=2"])
    assert why["teacher"] == "its settings differ: epochs 1 there, 2 here"
    assert why["student"] == "teacher, which it needs, is made anew"
    assert why["student-int8"] == "student, which it needs, is made anew"
    assert why["alone"] == ""


@pytest.mark.slow
def test_a_control_whose_steps_are_those_of_a_changed_step_is_made_anew(tmp_path):
    """Its settings are the same, but a clock may give the changed one another number of steps."""
    short = "net: timm/test_convnext, minutes: 0.01, batch: 32"
    path = tmp_path / "timed.yaml"
    path.write_text(
        f"title: Timed\nfaces: {{source: toy, size: 32, channels: 1, faces: 150, noise: 0}}\nsteps:\n"
        f"  - {{do: train, as: student, {short}}}\ncontrols:\n  - {{do: train, as: alone, {short}, lr: 0.001}}\n"
    )
    earlier = run(str(path), out=tmp_path / "timed", console=QUIET)
    assert reasons(earlier, tmp_path / "new") == {"student": "", "alone": ""}
    why = reasons(earlier, tmp_path / "new", ["steps.student.lr=0.003"])
    assert why["alone"] == "student, whose number of steps it takes, is made anew"


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("faces.faces=160", "the faces differ"),
        ("faces.size=40", "the faces differ"),
        ("faces.licence=mine", "options of the faces differ: .*'licence': 'mine'"),
        ("crop.margin=0.2", "crop differs: .*margin=0.2 here"),
    ],
)
def test_what_all_steps_share_decides_about_all(finished, tmp_path, monkeypatch, setting, reason):
    if "licence" in setting:
        faces = read_faces(schema.load(str(finished / "recipe.yaml")).faces)
        monkeypatch.setattr(sys.modules[__name__], "read_faces", lambda choice: faces)
        monkeypatch.setattr("facelet.recipes.reuse.SHOWN", 400)
    assert all(re.match(reason, why) for why in reasons(finished, tmp_path, [setting]).values())


@pytest.mark.slow
@pytest.mark.parametrize(
    "setting", ["title=Other", "seeds=2", "steps.student.against=alone", "steps.teacher.record=false"]
)
def test_what_changes_no_result_keeps_all(finished, tmp_path, setting):
    why = reasons(finished, tmp_path, [setting])
    assert [why.pop(name) for name in ("teacher", "student", "student-int8", "alone")] == [""] * 4
    assert why in (
        {},
        {"teacher-s1": "it was not started there", "student-s1": AGAIN, "student-int8-s1": AGAIN_STUDENT},
    )


@pytest.mark.slow
def test_results_of_another_training_version_or_damaged_are_not_taken(copied, tmp_path):
    plan = copied / "steps/teacher/plan.json"
    text = plan.read_text()
    plan.write_text(text.replace(json.loads(text)["training"], "0" * 16))
    assert reasons(copied, tmp_path)["teacher"] == "the files there are from another training"
    plan.write_text(text)
    (copied / "student.onnx").write_bytes(b"torn")
    (copied / "steps/alone/done.json").unlink()
    why = reasons(copied, tmp_path)
    assert "its files are damaged there" in why["student"]
    assert why["alone"] == "it is not finished there"
    assert why["teacher"] == ""
    (copied / "student.onnx").unlink()
    assert reasons(copied, tmp_path)["student"] == "student.onnx is missing there"
    noted = json.loads((copied / "run.json").read_text())
    (copied / "run.json").write_text(json.dumps({**noted, "facelet": "0.0.1"}))
    assert "was made by Facelet 0.0.1, and this is" in reasons(copied, tmp_path)["teacher"]


@pytest.mark.slow
def test_a_file_that_is_read_must_be_the_same(finished, tmp_path):
    start = tmp_path / "start.safetensors"
    start.write_bytes((finished / "steps/teacher/net.safetensors").read_bytes())
    path = tmp_path / "tuned.yaml"
    path.write_text(
        "title: Tuned\nfaces: {source: toy, size: 32, channels: 1, faces: 150, noise: 0}\nsteps:\n"
        f"  - {{do: train, as: tuned, checkpoint: {start}, epochs: 1, batch: 32}}\n"
    )
    folder = run(str(path), out=tmp_path / "tuned", console=QUIET)
    assert reasons(folder, tmp_path / "new") == {"tuned": ""}
    start.write_bytes((finished / "steps/student/net.safetensors").read_bytes())
    assert reasons(folder, tmp_path / "new")["tuned"] == "another file was read there (checkpoint)"


ADOPT = """
title: Theirs
faces: {source: toy, size: 16, channels: 1, faces: 300, identities: 30}
steps:
  - {do: adopt, as: theirs, file: FILE, task: identity, size: 16, channels: 1, mean: [0.5], std: [0.25]}
"""


@pytest.fixture
def adopting(tmp_path, small_lfw) -> tuple[Path, Path, Path]:
    """A run that measures somebody else's file on pairs, that file, and the folder of the pairs."""
    theirs, pairs, path = tmp_path / "theirs.onnx", small_lfw(size=112), tmp_path / "theirs.yaml"
    theirs.write_bytes(tiny_onnx.model(shape=(1, 1, 16, 16)).SerializeToString())
    path.write_text(ADOPT.replace("FILE", str(theirs)))
    return run(str(path), pairs=f"lfw:{pairs}", out=tmp_path / "earlier", console=QUIET), theirs, pairs


@pytest.mark.slow
def test_an_adopted_file_is_known_by_its_content(adopting, tmp_path):
    """Its time does not matter."""
    earlier, theirs, _ = adopting
    theirs.write_bytes(theirs.read_bytes())
    assert reasons(earlier, tmp_path / "new") == {"theirs": ""}
    folder = run(reuse=earlier, out=tmp_path / "again", console=QUIET)
    assert (folder / "theirs.onnx").read_bytes() == (earlier / "theirs.onnx").read_bytes()
    assert reasons(folder, tmp_path / "new") == {"theirs": ""}  # the hash was copied, too
    theirs.write_bytes(tiny_onnx.model(shape=(1, 1, 16, 16), classes=3).SerializeToString())
    assert reasons(earlier, tmp_path / "new") == {"theirs": "another file was read there (file)"}


def test_a_run_that_recorded_no_hash_is_made_anew(adopting, tmp_path):
    earlier, _, _ = adopting
    done = earlier / "steps/theirs/done.json"
    noted = json.loads(done.read_text())
    assert [len(digest) for digest in noted.pop("read")["file"]] == [64]
    done.write_text(json.dumps(noted))
    reason = "the content of the file that it read (file) was not recorded there"
    assert reasons(earlier, tmp_path / "new") == {"theirs": reason}


def test_pairs_are_known_by_their_content(adopting, tmp_path):
    earlier, _, pairs = adopting
    assert reasons(earlier, tmp_path / "new") == {"theirs": ""}
    one, other = sorted(pairs.glob("*/*.png"))[:2]
    one.write_bytes(other.read_bytes())
    why = f"the content of the pairs lfw:{pairs} differs, or was not recorded there"
    assert reasons(earlier, tmp_path / "new") == {"theirs": why}
    with pytest.raises(FaceletError, match=r"the pairs lfw:.* changed since .* was started; choose another --out"):
        run(resume=earlier, console=QUIET)


@pytest.mark.slow
def test_killed_while_it_copies_it_goes_on_and_ends_with_the_same_numbers(
    finished, fresh, tmp_path, killed, monkeypatch
):
    """SIGKILL before the second step is copied, then a stop before the student is exported; each time --resume."""
    folder = tmp_path / "new"
    killed(MAIN, ["run", "--from", str(finished), "--out", str(folder), "--set", LR], folder / "alone.onnx")
    assert (folder / "steps/teacher/done.json").exists()
    assert not (folder / "steps/alone").exists()
    (folder / "steps/.alone.part").mkdir()

    def stop(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("facelet.recipes.runner.export_checkpoint", stop)
        with pytest.raises(KeyboardInterrupt, match=f"--resume {folder}"):
            run(resume=folder, console=QUIET)
    assert not (folder / "steps/.alone.part").exists()
    assert (folder / "steps/student/result.json").exists()
    console = Console(file=io.StringIO())
    run(resume=folder, console=console)
    same(folder, fresh, ["teacher", "student"])
    assert json.loads((folder / "run.json").read_text())["from"]["taken_over"] == ["teacher", "alone"]
    assert "taken over from" not in console.file.getvalue()  # once is enough


@pytest.mark.slow
def test_what_was_copied_before_a_stop_stays_when_the_earlier_run_is_deleted(copied, tmp_path, monkeypatch):
    copy = reuse._copy

    def stop(run, folder, choice):
        if choice.label == "alone":
            raise KeyboardInterrupt
        copy(run, folder, choice)

    monkeypatch.setattr(reuse, "_copy", stop)
    folder = tmp_path / "new"
    with pytest.raises(KeyboardInterrupt):
        run(reuse=copied, out=folder, settings=[LR], console=QUIET)
    shutil.rmtree(copied)
    assert reuse.unfinished(folder) == copied
    why = reasons(copied, folder, [LR], folder / "recipe.yaml")
    assert why["teacher"] == ""
    assert {why[name] for name in ("student", "student-int8", "alone")} == {f"{copied} does not exist any more"}


@pytest.mark.slow
def test_takes_what_is_finished_of_a_run_that_goes_on(copied, tmp_path, monkeypatch):
    """Finished steps are never written again, so a run that another process holds may be read."""
    shutil.rmtree(copied / "steps/alone")
    (copied / "alone.onnx").unlink()

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("facelet.recipes.runner._take", stop)
    with locked(copied):
        before = _contents(copied)
        with pytest.raises(KeyboardInterrupt):
            run(reuse=copied, out=tmp_path / "new", console=QUIET)
        assert _contents(copied) == before
    noted = json.loads((tmp_path / "new/run.json").read_text())["from"]
    assert noted["made_anew"] == {"alone": "it was not started there"}


@pytest.mark.slow
def test_a_full_disk_says_how_to_go_on(finished, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device", "net.safetensors")

    monkeypatch.setattr(shutil, "copytree", full)
    with pytest.raises(
        FaceletError, match=f"No space left on device; continue with `facelet run --resume {tmp_path / 'new'}`"
    ):
        run(reuse=finished, out=tmp_path / "new", console=QUIET)


@pytest.mark.parametrize(
    ("out", "message"),
    [("", "would write into the run of --from"), ("steps/x", "omit --out to use .*run-2")],
)
def test_the_earlier_run_is_never_written_into(finished, out, message):
    with pytest.raises(FaceletError, match=message):
        run(reuse=finished, out=finished / out, console=QUIET)


def test_under_torchrun_all_processes_have_to_know_the_folder(finished, monkeypatch):
    monkeypatch.setattr("facelet.recipes.runner.launch", lambda: Launch("torchrun", 1, 2, 1, "this"))
    with pytest.raises(FaceletError, match="--from needs --out here"):
        run(reuse=finished, console=QUIET)


def test_refused_with_what_to_type(finished, tmp_path, monkeypatch):
    with pytest.raises(FaceletError, match=r"there is no run \(no run\.json\); give the folder"):
        run(reuse=tmp_path, console=QUIET)
    monkeypatch.chdir(finished)
    with pytest.raises(FaceletError, match="did you mean 'student'"):
        run(reuse=".", settings=["steps.studnet.lr=1"], console=QUIET)
    assert not finished.with_name("run-2").exists()
