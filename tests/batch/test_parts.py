"""Files are divided into parts that keep their names, and a worker writes a part with a row for each face."""

from __future__ import annotations

import os
import pickle

import pytest

from facelet.batch import sources
from facelet.batch.folder import OutputFolder
from facelet.batch.parts import PartWriter, plan
from facelet.batch.sources import SourceFile, find
from facelet.runtime.media.watch import watch

parquet = pytest.importorskip("pyarrow.parquet")


def photos(count: int, start: int = 0) -> list[SourceFile]:
    return [SourceFile(f"{n:06d}.jpg", "", f"/p/{n:06d}.jpg", 1, 1) for n in range(start, start + count)]


def test_every_file_is_in_one_part():
    files = photos(5000)
    parts = plan(files, 100, "key")
    assert [file for part in parts for file in part.files] == files
    lengths = [len(part.files) for part in parts]
    assert max(lengths) <= 200
    assert min(lengths[:-1]) > 50
    assert 80 < sum(lengths) / len(lengths) < 120
    assert len({part.name for part in parts}) == len(parts)


def test_the_plan_depends_on_the_inputs_only():
    names = [part.name for part in plan(photos(300), 50, "key")]
    assert names == [part.name for part in plan(photos(300), 50, "key")]
    assert set(names).isdisjoint(part.name for part in plan(photos(300), 50, "another model"))


def test_a_new_photo_changes_the_parts_around_it_only():
    files = photos(3000)
    before = {part.name for part in plan(files[:1000] + files[1001:], 50, "key")}
    after = {part.name for part in plan(files, 50, "key")}
    assert 1 <= len(after - before) <= 6
    assert len(after & before) > 50


def test_a_changed_photo_changes_the_name_of_its_part():
    files = photos(1000)
    changed = [*files[:500], SourceFile("000500.jpg", "", "/p/000500.jpg", 2, 1), *files[501:]]
    before, after = ({part.name for part in plan(given, 50, "key")} for given in (files, changed))
    assert len(after - before) == 1


def test_a_video_is_a_part_of_its_own():
    video = SourceFile("000001.mp4", "", "/p/000001.mp4", 1, 1)
    parts = plan([*photos(1), video, *photos(1, 2)], 50, "key")
    assert sorted(len(part.files) for part in parts) == [1, 2]


@pytest.mark.parametrize("each", [1, 2, 3])
def test_small_parts(each):
    assert sum(len(part.files) for part in plan(photos(50), each, "key")) == 50
    assert max(len(part.files) for part in plan(photos(50), each, "key")) <= 2 * each


def test_a_part_of_photos(predictor, album, tmp_path):
    writer = pickle.loads(pickle.dumps(PartWriter(predictor, OutputFolder("out"))))
    (part,) = plan(find(["work"]), 100, "key")
    result = writer(part)
    assert (result.failed, result.files, result.faces, result.broken, result.unread) == ("", 5, 4, 1, 0)
    assert "not a readable image" in result.error
    (file,) = (tmp_path / "out").iterdir()
    assert file.name == f"{part.name}.parquet"
    rows = parquet.read_table(file).to_pylist()
    assert {row["file"]: row["expression"] for row in rows} == {
        "work/bright.jpg": "bright",
        "work/broken.jpg": None,
        "work/dim.png": "dark",
        "work/sub/grey.jpg": "bright",
        "work/z.png": "bright",
    }
    assert [row["file"] for row in rows if row["error"]] == ["work/broken.jpg"]
    assert len(rows[0]["landmarks"]) == 10


def test_a_part_with_files_that_cannot_be_read_has_another_name(predictor, album, tmp_path):
    (part,) = plan(find(["work"]), 100, "key")
    (album / "z.png").unlink()
    result = PartWriter(predictor, OutputFolder("out"))(part)
    assert (result.broken, result.unread) == (1, 1)
    assert os.listdir(tmp_path / "out") == [f"{part.name}.unread.parquet"]


def test_a_part_of_a_video(predictor, dusk, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (part,) = plan(find(["film.avi"]), 100, "key")
    result = PartWriter(predictor, OutputFolder("out"), every=0.5)(part)
    assert (result.failed, result.broken) == ("", 0)
    rows = parquet.read_table(tmp_path / "out").to_pylist()
    frames = [
        frame for frame in watch("film.avi", predictor.open().model, predictor.open().detector, 0.5) if frame.faces
    ]
    assert [row["seconds"] for row in rows] == [frame.seconds for frame in frames]
    assert [row["expression"] for row in rows] == [frame.tracks[0].expression for frame in frames]
    assert [row["p_dark"] for row in rows] == [frame.tracks[0].probabilities["dark"] for frame in frames]
    assert {row["track"] for row in rows} == {1}


def test_a_broken_video_and_one_without_faces(predictor, film, tmp_path, monkeypatch):
    import numpy as np

    monkeypatch.chdir(tmp_path)
    film(lambda number: np.zeros((48, 64, 3), np.uint8), frames=3)
    (tmp_path / "torn.mp4").write_bytes(b"torn")
    parts = plan(find(["film.avi", "torn.mp4"]), 100, "key")
    results = [PartWriter(predictor, OutputFolder("out"))(part) for part in parts]
    assert [result.broken for result in results] == [0, 1]
    rows = {row["file"]: row for row in parquet.read_table(tmp_path / "out").to_pylist()}
    assert rows["film.avi"]["error"] is None
    assert rows["film.avi"]["face"] == 0
    assert rows["torn.mp4"]["error"].startswith("torn.mp4 is not a video")


def test_an_output_that_cannot_be_written_fails_the_part(predictor, album, tmp_path):
    (tmp_path / "out").write_text("a file")
    (part,) = plan(find(["work/z.png"]), 100, "key")
    result = PartWriter(predictor, OutputFolder("out"))(part)
    assert "out" in result.failed
    assert result.faces == 0


def test_a_store_is_read_in_the_worker(predictor, album, tmp_path):
    (part,) = plan(find([f"file://{album}"]), 100, "key")
    result = PartWriter(predictor, OutputFolder(f"file://{tmp_path}/out"))(part)
    assert (result.failed, result.faces, result.broken) == ("", 4, 1)
    assert sources.is_remote(parquet.read_table(tmp_path / "out")["file"][0].as_py())
