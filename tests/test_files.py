"""Files are written beside and renamed; a torn file never carries a real name."""

from __future__ import annotations

import errno

import pytest

from facelet import files
from facelet.errors import FaceletError


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
