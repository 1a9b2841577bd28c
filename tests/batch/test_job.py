"""A job makes what is missing: after a kill, after a change, after a failure; its answers are those of `facelet predict`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from facelet.batch import job
from facelet.batch.folder import OutputFolder
from facelet.batch.parts import plan
from facelet.batch.predictor import FacePredictor
from facelet.batch.sources import find
from facelet.errors import FaceletError
from facelet.runtime.media import photos
from facelet.runtime.media.predictions import predictions

parquet = pytest.importorskip("pyarrow.parquet")


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_the_answers_are_those_of_predict(predictor, album):
    summary = job.run(["work"], "out", predictor, each=2)
    assert (summary.files, summary.faces, summary.broken, summary.unread, summary.done_before) == (5, 4, 1, 0, 0)
    rows = {row["file"]: row for row in parquet.read_table("out").to_pylist()}
    for result in predictions(predictor.open(), photos.find(["work"])):
        row = rows.pop(result.name)
        assert row["error"] == (result.error or None)
        for face in result.faces:
            values = face.to_json()
            assert [round(row[name], 1) for name in ("left", "top", "width", "height")] == values["box"]
            assert {label: round(row[f"p_{label}"], 5) for label in face.probabilities} == values["probabilities"]
            assert (row["expression"], round(row["score"], 4)) == (values["expression"], values["score"])
            assert row["landmarks"] == pytest.approx(face.landmarks.ravel().tolist())
    assert not rows


@pytest.mark.slow
def test_real_photos(photos_folder, yunet, tmp_path, monkeypatch, capsys):
    """The bundled model and the real detector: what `facelet predict --json` prints."""
    from io import StringIO

    from rich.console import Console

    from facelet.cli import predict

    monkeypatch.chdir(photos_folder)
    files = [str(file) for file in sorted(Path("faces").iterdir())[::4]]
    job.run(files, str(tmp_path / "out"), FacePredictor("expression", yunet), each=3)
    predict.command(files, model="expression", detector=yunet, form="json", console=Console(file=StringIO()))
    rows: dict[str, list] = {}
    for row in parquet.read_table(tmp_path / "out").to_pylist():
        rows.setdefault(row["file"], []).append(row)
    for photo in json.loads(capsys.readouterr().out)["photos"]:
        found = [row for row in rows.pop(photo["file"]) if row["face"]]
        for face, row in zip(photo["faces"], found, strict=True):
            assert [round(row[name], 1) for name in ("left", "top", "width", "height")] == face["box"]
            assert {label: round(row[f"p_{label}"], 5) for label in face["probabilities"]} == face["probabilities"]
            assert row["expression"] == face["expression"]
    assert not rows


def test_a_second_run_makes_nothing(predictor, album, tmp_path):
    first = job.run(["work"], "out", predictor, each=2)
    before = contents(tmp_path / "out")
    second = job.run(["work"], "out", predictor, each=2)
    assert first.parts == second.parts > 1
    assert (second.done_before, second.faces, second.removed) == (5, 0, 0)
    assert contents(tmp_path / "out") == before


def test_changed_new_and_deleted_photos(predictor, album, tmp_path, photo):
    job.run(["work"], "out", predictor, each=1)
    (album / "z.png").write_bytes(photo(20))
    os.utime(album / "z.png", ns=(1, 1))
    (album / "new.png").write_bytes(photo(250))
    (album / "dim.png").unlink()
    summary = job.run(["work"], "out", predictor, each=1)
    assert summary.removed >= 2
    assert summary.done_before >= 2
    rows = {row["file"]: row["expression"] for row in parquet.read_table("out").to_pylist()}
    assert rows == {
        "work/bright.jpg": "bright",
        "work/broken.jpg": None,
        "work/new.png": "bright",
        "work/sub/grey.jpg": "bright",
        "work/z.png": "dark",
    }
    job.run(["work"], "whole", predictor, each=1)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_file_that_could_not_be_read_is_tried_again(predictor, album, tmp_path, monkeypatch):
    whole = job.sources.read

    def unread(file):
        if file.name.endswith("z.png"):
            raise job.sources.UnreadError(f"cannot read {file.name}: no connection")
        return whole(file)

    monkeypatch.setattr("facelet.batch.parts.sources.read", unread)
    summary = job.run(["work"], "out", predictor)
    assert (summary.unread, summary.broken) == (1, 1)
    monkeypatch.setattr("facelet.batch.parts.sources.read", whole)
    summary = job.run(["work"], "out", predictor)
    assert (summary.unread, summary.broken, summary.done_before, summary.removed) == (0, 1, 0, 0)
    assert len([name for name in os.listdir(tmp_path / "out") if "unread" in name]) == 0
    assert len(parquet.read_table("out")) == 5


def test_a_folder_is_for_one_source_and_model(predictor, make_predictor, album, tmp_path):
    job.run(["work"], "out", predictor)
    with pytest.raises(FaceletError, match="has the answers for another source; give another folder, or delete it"):
        job.run(["work/z.png"], "out", predictor)
    with pytest.raises(FaceletError, match="has the answers for another model or other settings"):
        job.run(["work"], "out", make_predictor(detect={"score": 0.1}))
    with pytest.raises(FaceletError, match="has the answers for another model or other settings"):
        job.run(["work"], "out", predictor, every=1)
    (tmp_path / "out" / "_facelet.json").unlink()
    with pytest.raises(FaceletError, match="has Parquet files of something else"):
        job.run(["work"], "out", predictor)


def test_halves_that_a_kill_left_are_deleted(predictor, album, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".0a1b2c3d.parquet").write_bytes(b"PAR1 half")
    job.run(["work"], "out", predictor)
    assert not list((tmp_path / "out").glob(".*"))


@pytest.mark.slow
def test_a_killed_job_goes_on_and_ends_as_if_it_had_not_been_killed(album, tmp_path, tiny, killed):
    """SIGKILL when the second part is renamed to its name; ready crops, so that the process needs no detector."""
    predictor = FacePredictor(tiny, cropped=True)
    key = f"{predictor.fingerprint} every 0 each 1"
    parts = plan(find(["work"]), 1, key)
    second = OutputFolder("out").place + f"/{parts[1].name}.parquet"
    code = (
        "from facelet.batch import job; from facelet.batch.predictor import FacePredictor; import sys; "
        "job.run(['work'], 'out', FacePredictor(sys.argv[1], cropped=True), each=1)"
    )
    killed(code, [str(tiny)], Path(second))
    done = {name for name in os.listdir(tmp_path / "out") if name.endswith(".parquet")}
    assert done == {f"{part.name}.parquet" for part in parts[:2]}
    summary = job.run(["work"], "out", predictor, each=1)
    assert summary.done_before == sum(len(part.files) for part in parts[:2])
    job.run(["work"], "whole", predictor, each=1)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_worker_that_fails_ends_the_job_with_its_reason(predictor, album, monkeypatch):
    def full(self, name, table):
        raise FaceletError("the disk is full")

    monkeypatch.setattr(OutputFolder, "write", full)
    with pytest.raises(FaceletError, match=r"the disk is full \(on .*; what is done is kept, the next run goes on\)"):
        job.run(["work"], "out", predictor)


def test_settings_out_of_range(predictor, album):
    for wrong, message in (
        ({"workers": -1}, "--workers: -1"),
        ({"each": 0}, "expected 1"),
        ({"every": -1}, "--every -1"),
    ):
        with pytest.raises(FaceletError, match=message):
            job.run(["work"], "out", predictor, **wrong)


@pytest.mark.parametrize(("package", "option"), [("ray", "--ray"), ("pyarrow", "--out")])
def test_a_missing_package_is_one_line(monkeypatch, package, option):
    monkeypatch.setattr(job, "find_spec", lambda name: None if name == package else object())
    with pytest.raises(FaceletError, match=rf"^{option} needs {package}: pip install .*\[ray\]"):
        job.require_packages(ray=True)
