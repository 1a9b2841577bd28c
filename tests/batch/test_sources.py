"""Photos and videos are found in folders, globs and stores; what cannot be read is told from what is no photo."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from facelet.batch import sources
from facelet.batch.sources import UnreadError, find, is_remote, without_secrets
from facelet.errors import FaceletError


def names(*places: str) -> list[str]:
    return [file.name for file in find([str(place) for place in places])]


def test_a_folder(album):
    (album / "clip.mp4").write_bytes(b"video")
    (album / "drawn.faces.mp4").write_bytes(b"video")
    expected = ["broken.jpg", "bright.jpg", "clip.mp4", "dim.png", "sub/grey.jpg", "z.png"]
    assert names("work") == sorted(f"work/{name}" for name in expected)


def test_globs_files_and_duplicates(album):
    assert names("work/*.png") == ["work/dim.png", "work/z.png"]
    assert names("work/*.png", "work/z.png", "work/z.png") == ["work/dim.png", "work/z.png"]
    assert names("work/**/*.jpg") == ["work/bright.jpg", "work/broken.jpg", "work/sub/grey.jpg"]


def test_a_file_without_a_suffix_is_taken_when_it_is_named(album):
    (album / "scan").write_bytes(b"x")
    assert names("work/scan") == ["work/scan"]
    assert "work/scan" not in names("work")


def test_a_file_is_known_by_size_and_time(album):
    (before,) = find(["work/z.png"])
    os.utime(album / "z.png", ns=(1, 1))
    (after,) = find(["work/z.png"])
    assert before != after
    assert after.path == str(album / "z.png")


def test_nothing_to_find(album):
    with pytest.raises(FaceletError, match="no photo, video or folder 'wrk', did you mean 'work'"):
        find(["wrk"])
    with pytest.raises(FaceletError, match="no photos or videos in work/notes"):
        find(["work/notes*"])


def test_bytes(album, monkeypatch):
    (file,) = find(["work/z.png"])
    assert sources.read(file) == (album / "z.png").read_bytes()
    (album / "z.png").unlink()
    with pytest.raises(UnreadError, match=r"cannot read work/z.png: No such file"):
        sources.read(file)
    with pytest.raises(UnreadError, match=r"cannot read work/z.png"), sources.as_local(file):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="names that Windows does not take")
def test_names_that_are_no_text(album):
    name = album / b"\xff.png".decode("utf-8", "surrogateescape")
    name.write_bytes(b"x")
    (file,) = [file for file in find(["work"]) if "?" in file.name]
    assert sources.read(file) == b"x"


def test_a_store(album):
    pytest.importorskip("pyarrow")
    place = f"file://{album}"
    found = find([place])
    assert [file.name for file in found] == [
        f"file://{album}/{name}" for name in ("bright.jpg", "broken.jpg", "dim.png", "sub/grey.jpg", "z.png")
    ]
    assert sources.read(found[0]) == (album / "bright.jpg").read_bytes()
    with sources.as_local(found[0]) as path:
        assert Path(path).read_bytes() == (album / "bright.jpg").read_bytes()
    assert [file.name for file in find([f"{place}/z.png"])] == [f"{place}/z.png"]
    with pytest.raises(FaceletError, match="no photo, video or folder file"):
        find([f"{place}/gone"])


def test_a_store_of_fsspec(album):
    pytest.importorskip("pyarrow")
    fsspec = pytest.importorskip("fsspec")
    store = fsspec.filesystem("memory")
    store.pipe("/photos/a.jpg", b"abc")
    (file,) = find(["memory://photos"])
    assert file.name == "memory:///photos/a.jpg"
    assert sources.read(file) == b"abc"
    store.rm("/photos/a.jpg")


def test_a_store_that_fails_is_tried_again(album, monkeypatch):
    pytest.importorskip("pyarrow")
    tries = []

    class Store:
        def open_input_stream(self, path):
            tries.append(path)
            raise OSError("connection reset\nmore")

    monkeypatch.setattr(sources, "filesystem", lambda place: (Store(), "/photos"))
    monkeypatch.setattr(sources, "WAITS", (0.0, 0.0))
    file = sources.SourceFile("s3://b/a.jpg", "s3://b", "b/a.jpg", 3, 0)
    with pytest.raises(UnreadError, match=r"^cannot read s3://b/a.jpg: connection reset$"):
        sources.read(file)
    assert len(tries) == 3


def test_an_unknown_store_is_one_line():
    pytest.importorskip("pyarrow")
    with pytest.raises(FaceletError, match="cannot open nosuch://bucket: "):
        find(["nosuch://user:secret@bucket"])


def test_secrets_are_not_printed():
    assert without_secrets("s3://key:secret@bucket/photos?region=x") == "s3://bucket/photos"
    assert without_secrets("a@b/photos?.jpg") == "a@b/photos?.jpg"
    assert is_remote("s3://bucket")
    assert not is_remote("C:/photos")


@pytest.mark.parametrize("store", [False, True])
def test_what_is_neither_photo_nor_video_is_named(album, monkeypatch, store):
    """HEIC photos where they cannot be decoded, too; hidden files are left out, and files that were named are taken."""
    if store:
        pytest.importorskip("pyarrow")
    monkeypatch.setattr("facelet.io.heic.installed", lambda: False)
    (album / "sub/phone.heic").write_bytes(b"x")
    (album / "scan").write_bytes(b"x")
    place = f"file://{album}" if store else "work"
    others: list[str] = []
    find([place, f"{place}/scan"], others)
    assert others == [f"{place}/notes.txt", f"{place}/sub/phone.heic"]
    others.clear()
    find(["work/*.*"], others)
    assert others == ["work/notes.txt"]
