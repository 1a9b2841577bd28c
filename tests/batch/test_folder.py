"""A part appears whole or not at all, in a folder or in a store."""

from __future__ import annotations

from pathlib import Path

import pytest

from facelet.batch.folder import OutputFolder
from facelet.errors import FaceletError

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")
TABLE = pyarrow.table({"file": ["a", "b"]})


@pytest.mark.parametrize("prefix", ["", "file://"])
def test_write_list_and_remove(tmp_path, prefix):
    folder = OutputFolder(f"{prefix}{tmp_path}/out")
    assert folder.names() == []
    assert folder.about() is None
    folder.write("part-1.parquet", TABLE)
    folder.write_about({"key": "x"})
    assert folder.names() == ["_facelet.json", "part-1.parquet"]
    assert folder.about() == {"key": "x"}
    assert parquet.read_table(tmp_path / "out").equals(TABLE)
    folder.remove("part-1.parquet")
    folder.remove("part-1.parquet")
    assert folder.names() == ["_facelet.json"]


def test_a_relative_folder_is_made_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert OutputFolder("out").place == str(tmp_path / "out")


@pytest.mark.parametrize("prefix", ["", "file://"])
def test_a_write_that_fails_leaves_no_part(tmp_path, prefix, monkeypatch):
    folder = OutputFolder(f"{prefix}{tmp_path}")
    if prefix:
        monkeypatch.setattr("facelet.batch.folder.filesystem", lambda place: (BrokenStore(), str(tmp_path)))
    else:
        monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises((FaceletError, OSError)):
        folder.write("part-1.parquet", TABLE)
    assert not [file for file in tmp_path.iterdir() if not file.name.startswith(".")]


def fail(*given):
    raise OSError("no space")


class BrokenStore:
    def create_dir(self, path, recursive):
        pass

    open_output_stream = fail


def test_wrong_places(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(FaceletError, match="is a file; expected a folder"):
        OutputFolder(str(tmp_path / "file")).names()
    (tmp_path / "_facelet.json").write_text("[")
    with pytest.raises(FaceletError, match="cannot read"):
        OutputFolder(str(tmp_path)).about()
    (tmp_path / "_facelet.json").write_text("[]")
    with pytest.raises(FaceletError, match="is damaged"):
        OutputFolder(str(tmp_path)).about()
