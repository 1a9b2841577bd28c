"""Finding and reading photos: folders, globs, doubles, hidden and drawn files, broken ones among whole ones."""

from __future__ import annotations

import os
import re
import sys

import cv2
import numpy as np
import pytest

from facelet.errors import FaceletError
from facelet.runtime.media import photos
from facelet.runtime.media.photos import find


@pytest.fixture
def album(tmp_path, monkeypatch):
    """a.jpg, b.PNG, notes.txt, .hidden.jpg, a.faces.jpg, sub/c.webp, sub/deep/d.tif, .git/e.jpg; seen from inside."""
    monkeypatch.chdir(tmp_path)
    image = np.full((8, 8, 3), 100, np.uint8)
    for name in ("a.jpg", "b.PNG", ".hidden.jpg", "a.faces.jpg", "sub/c.webp", "sub/deep/d.tif", ".git/e.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(cv2.imencode(os.path.splitext(name)[1].lower(), image)[1].tobytes())
    (tmp_path / "notes.txt").write_text("no photo")
    return tmp_path


def names(found):
    return [str(file) for file in found]


def test_a_folder_all_the_way_down(album):
    assert names(photos.find(["."])) == ["a.jpg", "b.PNG", "sub/c.webp", "sub/deep/d.tif"]


def test_globs(album):
    assert names(photos.find(["*"])) == ["a.jpg", "b.PNG"]
    assert names(photos.find(["**/*.tif"])) == ["sub/deep/d.tif"]
    assert names(photos.find(["sub/?.webp", "[ab].*"])) == ["sub/c.webp", "a.jpg", "b.PNG"]


def test_order_and_doubles(album):
    assert names(photos.find(["b.PNG", "./b.PNG", ".", album / "a.jpg"])) == [
        "b.PNG",
        "a.jpg",
        "sub/c.webp",
        "sub/deep/d.tif",
    ]


def test_a_file_that_is_named_is_taken_whatever_its_name(album):
    assert names(photos.find([".hidden.jpg", "notes.txt"])) == [".hidden.jpg", "notes.txt"]


def test_a_drawn_photo_is_taken_only_alone(album):
    assert names(photos.find(["a.faces.jpg"])) == ["a.faces.jpg"]
    assert names(photos.find(["a.jpg", "a.faces.jpg"])) == ["a.jpg"]


def test_brackets_in_a_name_are_no_glob(album):
    (album / "me [1].jpg").write_bytes((album / "a.jpg").read_bytes())
    assert names(photos.find(["me [1].jpg"])) == ["me [1].jpg"]


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("aa.jpg", r"no photo or folder 'aa.jpg', did you mean 'a.jpg'\?"),
        ("nowhere/x.jpg", "no photo or folder 'nowhere/x.jpg'$"),
        ("*.gif", r"no photo matches '\*.gif' \(0 other files do\)"),
        ("*.txt", r"no photo matches '\*.txt' \(1 other files do\)"),
        ("empty", "no photos in empty"),
        ("0", "is a webcam, not a photo"),
        ("film.MP4", "is a video, not a photo; .*`facelet predict VIDEO`"),
        ("gone.mov", "is a video, not a photo"),
        ("x" * 5000, "cannot look into|no photo or folder"),
        ("a\0b", "cannot look into|no photo or folder"),
    ],
)
def test_places_without_photos(album, place, says):
    (album / "empty").mkdir()
    (album / "film.MP4").touch()
    with pytest.raises(FaceletError, match=says):
        photos.find([place])


def test_nothing_given():
    with pytest.raises(FaceletError, match="no photo given"):
        photos.find([])


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links")
def test_a_folder_that_holds_itself(album):
    (album / "sub" / "loop").symlink_to(album)
    assert len(photos.find(["."])) == 4


def test_reading_ahead_keeps_order_and_goes_on_after_a_broken_one(album):
    (album / "b.PNG").write_bytes(b"torn")
    (album / "sub" / "c.webp").write_bytes(b"")
    read = list(photos.read_ahead(photos.find(["."])))
    assert names(file for file, _ in read) == ["a.jpg", "b.PNG", "sub/c.webp", "sub/deep/d.tif"]
    assert [photo.shape if isinstance(photo, np.ndarray) else type(photo) for _, photo in read] == [
        (8, 8, 3),
        FaceletError,
        FaceletError,
        (8, 8, 3),
    ]
    assert str(read[1][1]).startswith("b.PNG: ")


def test_reading_ahead_is_bounded_and_can_be_left(album, monkeypatch):
    opened = []
    monkeypatch.setattr("facelet.io.pixels.read", lambda file: opened.append(file) or np.zeros((1, 1, 3), np.uint8))
    reading = photos.read_ahead([album / "a.jpg"] * 100)
    next(reading)
    reading.close()
    assert len(opened) <= photos.AHEAD + 1


def test_a_folder_that_cannot_be_read_is_said(album, monkeypatch):
    def walk(folder, onerror):
        onerror(PermissionError(13, "Permission denied", "sub/deep"))

    monkeypatch.setattr("os.walk", walk)
    with pytest.raises(FaceletError, match="cannot look into sub/deep: Permission denied"):
        photos.find(["."])


def test_a_file_named_like_a_webcam(album):
    (album / "0").touch()
    assert names(photos.find(["0"])) == ["0"]


@pytest.fixture
def phone(tmp_path, monkeypatch):
    """A folder as it comes from a phone."""
    for name in ("a.png", "trip/b.heic", "c.HEIC", "clip.mp4", "notes.txt", ".hidden", "a.faces.png", "trip/Thumbs.db"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    monkeypatch.setattr("facelet.io.heic.installed", lambda: False)
    return tmp_path


def test_what_is_passed_over_is_counted_and_named(phone):
    others = []
    assert find([phone], others) == [phone / "a.png"]
    assert {file.name for file in others} == {"b.heic", "c.HEIC", "clip.mp4", "notes.txt", "a.faces.png", "Thumbs.db"}
    heic, video, drawn, other = photos.passed_over(others)
    assert re.fullmatch(r"not read: 2 HEIC photos \(c.HEIC, b.heic\); to read HEIC: pip install '.*\[heic\]'", heic)
    assert video == "not read: 1 video (clip.mp4); run each video separately"
    assert drawn == "not read: 1 drawn photo (a.faces.png)"
    assert other == "not read: 2 other files (notes.txt, Thumbs.db)"
    assert photos.passed_over([]) == []
    assert photos.passed_over([phone / "x.txt"] * 25)[0].endswith("x.txt and 5 more)")


def test_a_glob_counts_too_and_a_file_is_named_once(phone):
    others = []
    assert find([str(phone / "*"), phone], others) == [phone / "a.png"]
    assert sum(file.name == "notes.txt" for file in others) == 1


def test_a_folder_of_heic_alone_says_what_to_type(phone):
    with pytest.raises(
        FaceletError, match=r"no photos in .*not read: 1 HEIC photo \(b.heic\); to read HEIC: pip install"
    ):
        find([phone / "trip"])


def test_heic_is_read_where_it_can_be(phone, monkeypatch):
    monkeypatch.setattr("facelet.io.heic.installed", lambda: True)
    assert [file.name for file in find([phone])] == ["a.png", "c.HEIC", "b.heic"]
