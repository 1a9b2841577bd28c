"""Files are written beside and renamed; a torn file never carries a real name."""

from __future__ import annotations

import errno
import os
import stat

import pytest

from facelet.errors import FaceletError
from facelet.io import files


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.json"
    files.write_json(path, {"a": 1})
    with pytest.raises(UnicodeEncodeError), files.writing(path) as beside:
        beside.write_text("torn \udc80", encoding="utf-8")
    assert files.read_json(path) == {"a": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


def test_a_full_disk_is_said(tmp_path):
    with pytest.raises(FaceletError, match="disk is full"), files.writing(tmp_path / "a"):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_reading_what_is_not_json_is_an_error(tmp_path):
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(FaceletError, match=r"cannot read .*a\.json"):
        files.read_json(tmp_path / "a.json")
    with pytest.raises(FaceletError, match="cannot read"):
        files.read_json(tmp_path / "none.json")


def test_a_new_file_obeys_umask_and_a_replaced_one_keeps_its_mode(tmp_path):
    before = os.umask(0o027)
    try:
        files.write_text(tmp_path / "new", "a")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640
    (tmp_path / "new").chmod(0o600)
    files.write_text(tmp_path / "new", "b")
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600


def test_a_pipe_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FaceletError, match="not a regular file"):
        files.write_text(tmp_path / "pipe", "a")
    assert (tmp_path / "pipe").is_fifo()


def test_a_name_as_long_as_may_be(tmp_path):
    files.write_text(tmp_path / ("x" * 250 + ".json"), "a")


def test_a_missing_path_names_the_nearest(tmp_path, monkeypatch):
    (tmp_path / "ferplus.zip").touch()
    with pytest.raises(FaceletError, match=r"did you mean .*ferplus\.zip"):
        files.existing(tmp_path / "ferpuls.zip")
    with pytest.raises(FaceletError, match="no file or folder"):
        files.existing(tmp_path / "nowhere" / "at all")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FaceletError, match="cannot look into ~nobody-here/x"):
        files.existing("~nobody-here/x")
    (tmp_path / "~x").touch()
    assert str(files.existing("~x")) == "~x"
    monkeypatch.setattr(files, "LISTED", 0)
    with pytest.raises(FaceletError, match=r"ferpuls\.zip'$"):
        files.existing(tmp_path / "ferpuls.zip")


def test_a_link_that_leads_nowhere_is_called_so(tmp_path):
    link = tmp_path / "dangling.jpg"
    link.symlink_to("gone.jpg")
    with pytest.raises(FaceletError, match=r"dangling\.jpg is a link to 'gone\.jpg', which does not exist"):
        files.existing(link)
    loop = tmp_path / "loop.jpg"
    loop.symlink_to("loop.jpg")
    with pytest.raises(FaceletError, match="is a link to"):
        files.existing(loop)
    with pytest.raises(FaceletError, match=r"danglin\.jpg'$"):  # no guess
        files.existing(tmp_path / "danglin.jpg")


def test_reading_stops_at_the_limit_and_at_pipes(tmp_path):
    (tmp_path / "a").write_bytes(bytes(11))
    assert files.read_bytes(tmp_path / "a", 11) == bytes(11)
    with pytest.raises(FaceletError, match="has 11 bytes, more than"):
        files.read_bytes(tmp_path / "a", 10)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FaceletError, match="is not a file"):
        files.read_bytes(tmp_path / "pipe", 10)
