from __future__ import annotations

import os
import shutil
import struct
import subprocess
import unicodedata
import zipfile
import zlib
from pathlib import Path

import pytest

from facelet.errors import FaceletError
from facelet.faces import load
from facelet.faces.reading import archive as module
from facelet.faces.reading.archive import open_archive, unlisted


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
    with pytest.raises(FaceletError, match="is a broken link"), open_archive(folder):
        pass


def test_a_damaged_lzma_member(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"a.png": os.urandom(4000)}, compression=zipfile.ZIP_LZMA)
    data = bytearray(path.read_bytes())
    data[40:50] = b"\xff" * 10
    path.write_bytes(data)
    with open_archive(path) as archive, pytest.raises(FaceletError, match="damaged"):
        archive.read("a.png")


class Entry(zipfile.ZipInfo):
    """An entry whose name is written in the bytes given, as other programs than zipfile do, without the flag of UTF-8."""

    def __init__(self, raw: bytes, system: int = 3, extra: bytes = b"") -> None:
        super().__init__(raw.decode("latin-1"))
        self.raw, self.create_system, self.extra = raw, system, extra

    def _encodeFilenameFlags(self):
        return self.raw, self.flag_bits & ~0x800


def unicode_path(raw: bytes, name: str) -> bytes:
    field = struct.pack("<BL", 1, zlib.crc32(raw)) + name.encode()
    return struct.pack("<HHB", 0x5455, 1, 3) + struct.pack("<HH", 0x7075, len(field)) + field


WRITERS = {
    "zip -r": lambda name: Entry(name.encode()),
    "zip -r in a Latin locale": lambda name: Entry(
        name.encode("latin-1", "replace"), extra=unicode_path(name.encode("latin-1", "replace"), name)
    ),
    "old Windows": lambda name: Entry(name.replace("/", "\\").encode("cp437"), system=0),
    "Windows": lambda name: name,
    "bsdtar": lambda name: f"./{name}",
    "macOS": lambda name: unicodedata.normalize("NFD", name),
}


def zipped_by(writer: str, folder: Path, top: str) -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as packed:
        for file in sorted(folder.rglob("*")):
            name = f"{top}{file.relative_to(folder).as_posix()}"
            if file.is_dir():
                packed.writestr(WRITERS[writer](f"{name}/"), b"")
            else:
                packed.writestr(WRITERS[writer](name), file.read_bytes())
        if writer == "macOS":
            packed.writestr(f"__MACOSX/{top}._happy.png", b"x")
    return path


@pytest.mark.parametrize("top", ["", "Gesichter/"])
@pytest.mark.parametrize("writer", WRITERS)
def test_a_folder_zipped_by_any_program_has_its_names(lay_out, writer, top):
    folder = lay_out(f"{name}/é{number}.png" for name in ("über", "naïf", "sad", "wütend") for number in range(6))
    path = zipped_by(writer, folder, top)
    with open_archive(path) as archive:
        assert f"{top}über/é0.png" in archive.names
        assert f"{top}über" in archive.folders
    for source in ("folder", "faces", "identities"):
        mine, theirs = load(f"{source}:{folder}"), load(f"{source}:{path}")
        assert theirs.protocol.hash == mine.protocol.hash
        assert theirs.pixels_hash == mine.pixels_hash


@pytest.mark.skipif(not shutil.which("zip"), reason="no zip here")
def test_a_folder_zipped_by_zip_itself(lay_out):
    folder = lay_out(f"{name}/{number}.png" for name in ("über", "日本", "sad") for number in range(6))
    subprocess.run(["zip", "-qr", "../inside.zip", "."], cwd=folder, check=True)
    subprocess.run(["zip", "-qr", "outside.zip", folder.name], cwd=folder.parent, check=True)
    faces = load(f"folder:{folder}")
    assert faces.classes == ("sad", "über", "日本")
    for name in ("inside", "outside"):
        assert load(f"folder:{folder.parent / name}.zip").protocol == faces.protocol


def test_names_on_disk_may_be_decomposed(lay_out):
    names = [f"{name}/{number}.png" for name in ("über", "sad") for number in range(6)]
    folder = lay_out(names)
    other = lay_out((unicodedata.normalize("NFD", name) for name in names), name="mac")
    for name in names:  # the same pixels
        (other / unicodedata.normalize("NFD", name)).write_bytes((folder / name).read_bytes())
    faces = load(f"folder:{folder}")
    assert load(f"folder:{other}?classes=sad,{unicodedata.normalize('NFD', 'über')}").protocol == faces.protocol
    rows = ["path,label", *(f"{name},{name.split('/')[0]}" for name in names)]
    (other / "a.csv").write_text("\n".join(rows), encoding="utf-8")
    assert load(f"folder:{other / 'a.csv'}").protocol.hash == faces.protocol.hash
    (other / "über").mkdir()
    (other / names[0]).write_bytes(b"x")
    with pytest.raises(FaceletError, match=r"'über/0\.png' exists twice, in composed and decomposed Unicode"):
        load(f"folder:{other}")


@pytest.mark.parametrize(
    ("name", "wrong"), [("../a.png", "leads out"), ("/etc/a.png", "absolute"), ("a\0b", "absolute")]
)
def test_a_second_name_is_looked_through_too(tmp_path, name, wrong):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr(Entry(b"a.png", extra=unicode_path(b"a.png", name)), b"face")
    with pytest.raises(FaceletError, match=wrong), open_archive(tmp_path / "a.zip"):
        pass
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as packed:
        packed.writestr(
            Entry(b"a.png", extra=unicode_path(b"b.png", name)), b"face"
        )  # of another name: not this entry's
    with open_archive(tmp_path / "b.zip") as archive:
        assert archive.names == ("a.png",)
