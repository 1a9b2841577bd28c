from __future__ import annotations

import os
import struct
import zipfile
from pathlib import Path

import pytest

from facelet.errors import FaceletError
from facelet.faces import archive as module
from facelet.faces.archive import open_archive, unlisted


def make_zip(path: Path, entries: dict[str, bytes], **options) -> Path:
    with zipfile.ZipFile(path, "w", **options) as packed:
        for name, data in entries.items():
            packed.writestr(name, data)
    return path


def test_a_folder_and_a_zip_read_the_same(lay_out, zipped):
    folder = lay_out(["happy/1.png", "sad/2.png"])
    (folder / "notes.txt").write_text("x")
    (folder / ".hidden.png").write_bytes(b"x")
    with open_archive(folder) as one, open_archive(zipped(folder)) as other:
        assert one.names == ("happy/1.png", "notes.txt", "sad/2.png")
        assert other.names == tuple(f"faces/{name}" for name in one.names)
        assert one.images == ("happy/1.png", "sad/2.png")
        assert one.read("happy/1.png") == other.read("faces/happy/1.png")
        assert one.folders == {"happy", "sad"}
        assert other.folders == {"faces", "faces/happy", "faces/sad"}


@pytest.mark.parametrize("name", ["../a.png", "x/../../a.png", "..\\a.png"])
def test_refuses_names_that_lead_out(tmp_path, name):
    with (
        pytest.raises(FaceletError, match="leads out of the zip"),
        open_archive(make_zip(tmp_path / "a.zip", {name: b""})),
    ):
        pass


@pytest.mark.parametrize("name", ["/etc/a.png", "\\a.png", "C:\\a.png", "C:/a.png"])
def test_refuses_absolute_names(tmp_path, name):
    with (
        pytest.raises(FaceletError, match="is an absolute path"),
        open_archive(make_zip(tmp_path / "a.zip", {name: b""})),
    ):
        pass


def test_refuses_links_in_a_zip(tmp_path):
    link = zipfile.ZipInfo("happy/a.png")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr(link, "/etc/passwd")
    with pytest.raises(FaceletError, match="symbolic link"), open_archive(tmp_path / "a.zip"):
        pass


def test_refuses_names_that_are_there_twice(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr("a.png", b"1")
        with pytest.warns(UserWarning, match="Duplicate name"):
            packed.writestr("a.png", b"2")
    with pytest.raises(FaceletError, match=r"'a\.png' is in the zip 2 times"), open_archive(tmp_path / "a.zip"):
        pass


def test_refuses_a_bomb_before_reading_it(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BOMB_TOTAL", 1 << 20)
    path = make_zip(tmp_path / "a.zip", {"a.png": bytes(1 << 21)}, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(FaceletError, match="zip bomb"), open_archive(path):
        pass


def test_a_false_size_does_not_make_it_read_more(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"a.png": bytes(1 << 22)}, compression=zipfile.ZIP_DEFLATED)
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02") + 24
    data[at : at + 4] = struct.pack("<I", 100)
    path.write_bytes(data)
    with open_archive(path) as archive, pytest.raises(FaceletError, match=r"a\.png is damaged"):
        archive.read("a.png")


def test_finds_damage(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"a.png": b"some bytes of a face"})
    path.write_bytes(path.read_bytes().replace(b"some bytes", b"same bytes", 1))
    with open_archive(path) as archive, pytest.raises(FaceletError, match="damaged"):
        archive.read("a.png")
    with open_archive(path) as archive, pytest.raises(FaceletError, match="missing"):
        archive.read("b.png")


def test_refuses_what_is_no_zip(tmp_path):
    (tmp_path / "a.rar").write_bytes(b"Rar!")
    with pytest.raises(FaceletError, match="unpack other archives first"), open_archive(tmp_path / "a.rar"):
        pass


def test_refuses_an_encrypted_zip(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"a.png": b"face"})
    data = bytearray(path.read_bytes())
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(FaceletError, match="encrypted"), open_archive(path):
        pass


def test_links_in_a_folder(lay_out, tmp_path):
    folder = lay_out(["happy/1.png"])
    os.symlink(folder / "happy/1.png", folder / "happy/2.png")
    with open_archive(folder) as archive:
        assert archive.names == ("happy/1.png", "happy/2.png")
    (tmp_path / "secret.png").write_bytes(b"x")
    os.symlink(tmp_path / "secret.png", folder / "happy/3.png")
    with pytest.raises(FaceletError, match="symbolic link"), open_archive(folder):
        pass
    (folder / "happy/3.png").unlink()
    os.symlink(folder, folder / "loop")
    with pytest.raises(FaceletError, match="symbolic link"), open_archive(folder):
        pass


def test_reads_nothing_outside_its_folder(lay_out, tmp_path):
    folder = lay_out(["happy/1.png"])
    (tmp_path / "secret.png").write_bytes(b"x")
    os.symlink(tmp_path / "secret.png", folder / "link.png")
    for name in ("../secret.png", str(tmp_path / "secret.png"), "../../../../../../dev/zero", "link.png", "a\0b"):
        with pytest.raises(FaceletError, match="holds no file"):
            unlisted(folder).read(name)
    assert unlisted(folder).read("happy/1.png")
    (folder / "link.png").unlink()
    with open_archive(folder) as archive, pytest.raises(FaceletError, match="holds no file"):
        archive.read("../secret.png")


def test_odd_names_and_links_that_lead_nowhere(lay_out):
    folder = lay_out(["happy/1.png"])
    (folder / "happy/\U0001f600\n.png").write_bytes(b"x")
    with open_archive(folder) as archive:
        assert len(archive.names) == 2
    (folder / "happy/\U0001f600\udcff.png").write_bytes(b"x")
    with pytest.raises(FaceletError, match="is not UTF-8"), open_archive(folder):
        pass
    (folder / "happy/\U0001f600\udcff.png").unlink()
    (folder / "loop.png").symlink_to(folder / "loop.png")
    with pytest.raises(FaceletError, match="leads nowhere"), open_archive(folder):
        pass


def test_a_damaged_lzma_member(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"a.png": os.urandom(4000)}, compression=zipfile.ZIP_LZMA)
    data = bytearray(path.read_bytes())
    data[40:50] = b"\xff" * 10
    path.write_bytes(data)
    with open_archive(path) as archive, pytest.raises(FaceletError, match="damaged"):
        archive.read("a.png")
