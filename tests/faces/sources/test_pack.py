"""Unpacking: damage, forgery and files that are no packs are refused; nothing is lost."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace

import cv2
import numpy as np
import pytest

from facelet.errors import FaceletError
from facelet.faces import load
from facelet.faces.faceset import PER_FACE
from facelet.faces.sources.pack_writer import write_pack


def same(one, other) -> bool:
    for field in PER_FACE:
        mine, theirs = getattr(one, field), getattr(other, field)
        if (mine is None) != (theirs is None) or (mine is not None and not np.array_equal(mine, theirs)):
            return False
    return (one.licence, one.margin) == (other.licence, other.margin)


def test_a_split_of_a_raw_pack_stays_on_disk(face_set, tmp_path):
    write_pack(face_set(), tmp_path / "a.pack", raw=True)
    faces = load(f"pack:{tmp_path / 'a.pack'}")
    assert np.shares_memory(faces.split("val").images, faces.images)


@pytest.mark.parametrize("raw", [False, True])
def test_a_changed_byte_anywhere_is_found_or_harmless(face_set, tmp_path, raw):
    faces = face_set()
    write_pack(faces, tmp_path / "a.pack", raw=raw)
    whole = (tmp_path / "a.pack").read_bytes()
    found = 0
    places = np.random.default_rng(0).choice(len(whole), 250, replace=False)
    for place in places:
        data = bytearray(whole)
        data[place] ^= 0x55
        (tmp_path / "b.pack").write_bytes(data)
        try:
            assert same(faces, load(f"pack:{tmp_path / 'b.pack'}"))
        except FaceletError:
            found += 1
    assert found > 100


def test_a_cut_file_is_refused(face_set, tmp_path):
    for raw in (False, True):
        write_pack(face_set(), tmp_path / "a.pack", raw=raw)
        whole = (tmp_path / "a.pack").read_bytes()
        for length in (0, 10, len(whole) // 2, len(whole) - 1):
            (tmp_path / "b.pack").write_bytes(whole[:length])
            with pytest.raises(FaceletError):
                load(f"pack:{tmp_path / 'b.pack'}")


def forged(source, target, changes: dict[str, bytes | tuple[bytes, bytes]]) -> str:
    """A copy of a pack with other contents but true checksums, as someone hostile would write it."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for info in old.infolist():
            change = changes.get(info.filename, old.read(info))
            data = old.read(info).replace(*change) if isinstance(change, tuple) else change
            new.writestr(info.filename, data, info.compress_type)
    return f"pack:{target}"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pack.json": (b'"count": 30', b'"count": 3000000000000')}, "bomb"),
        ({"pack.json": (b'"count": 30', b'"count": 31')}, "should hold"),
        ({"pack.json": (b'"webp": ', b'"webp": -')}, "webp"),
        ({"pack.json": (b'"webp": ', b'"web": ')}, "web"),
        ({"pack.json": (b'"facelet_pack": 1', b'"facelet_pack": 2')}, "upgrade Facelet"),
        ({"pack.json": (b'"labels"', b'"images"')}, "lists the arrays"),
        ({"pack.json": (b'"majority"', b'"minority"')}, "its protocol is"),
        ({"pack.json": b"{" * 100000}, "damaged"),
        ({"names.json": b"[" * 100000}, "damaged"),
        ({"names.json": b"{}"}, "expected 30 names"),
        ({"names.json": (b'/3.png"', b'\\ud800"')}, "damaged"),
        ({"labels.npy": (b"'<i8'", b"'|O8'")}, "labels"),
        ({"labels.npy": (b"(30,)", b"(99999999999,)")}, "labels"),
        ({"faces/000000.webp": b"RIFF"}, "not a strip of 30"),
    ],
)
def test_forged_packs(face_set, tmp_path, changes, message):
    write_pack(face_set(), tmp_path / "a.pack")
    with pytest.raises(FaceletError, match=message):
        load(forged(tmp_path / "a.pack", tmp_path / "b.pack", changes))


def test_a_strip_of_another_size_is_refused_before_it_is_decoded(face_set, tmp_path):
    write_pack(face_set(), tmp_path / "a.pack")
    black = cv2.imencode(".webp", np.zeros((2000, 2000, 3), np.uint8), [cv2.IMWRITE_WEBP_QUALITY, 101])[1].tobytes()
    with pytest.raises(FaceletError, match="not a strip of 30 faces"):
        load(forged(tmp_path / "a.pack", tmp_path / "b.pack", {"faces/000000.webp": black}))


def test_what_is_no_pack(tmp_path, lay_out, zipped):
    with pytest.raises(FaceletError, match="is not a pack"):
        load(f"pack:{zipped(lay_out(['happy/1.png']))}")
    with pytest.raises(FaceletError, match="a pack is one file"):
        load(f"pack:{tmp_path}")
    with pytest.raises(FaceletError, match="cannot write"):
        write_pack(load("toy?faces=40"), "/proc/no/such/place.pack")


def test_names_that_would_swell_are_refused(face_set, tmp_path, monkeypatch):
    monkeypatch.setattr("facelet.faces.sources.pack.BOMB_TOTAL", 4 * 30 * 4000)
    monkeypatch.setattr("facelet.faces.sources.pack.BOMB_RATIO", 1)
    write_pack(face_set(), tmp_path / "a.pack")
    names = json.dumps(["x" * 4096, *[f"{number}" for number in range(29)]]).encode()
    with pytest.raises(FaceletError, match="of names: refused as a bomb"):
        load(forged(tmp_path / "a.pack", tmp_path / "b.pack", {"names.json": names}))


def test_damage_is_told_with_its_remedy(face_set, tmp_path):
    write_pack(face_set(), tmp_path / "a.pack")
    whole = (tmp_path / "a.pack").read_bytes()
    broken = bytearray(whole)
    broken[whole.index(b"RIFF") + 40] ^= 0x55
    for data in (whole[: len(whole) // 2], bytes(broken)):
        (tmp_path / "b.pack").write_bytes(data)
        with pytest.raises(FaceletError, match=r"b\.pack is damaged \(.*write the pack again"):
            load(f"pack:{tmp_path / 'b.pack'}")


def test_a_pack_of_earlier_days_gives_no_name_away(face_set, tmp_path):
    others = ("unreadable, left out: 12 (anna/2019 (1).png, ...)", "no face found, cut at the usual place: 1 (b.png)")
    write_pack(replace(face_set(), notes=(*others, "1 other files ignored (.db)")), tmp_path / "a.pack")
    assert load(f"pack:{tmp_path / 'a.pack'}").notes == (
        "unreadable, left out: 12", "no face found, cut at the usual place: 1", "1 other files ignored (.db)",
    )  # fmt: skip


@pytest.mark.parametrize(("size", "how"), [(48, "enlarged"), (24, "shrunk")])
def test_another_size_than_the_pack_has_is_said(face_set, tmp_path, size, how):
    write_pack(face_set(size=40), tmp_path / "a.pack")
    kept, other = (load(f"pack:{tmp_path / 'a.pack'}", size=wanted) for wanted in (40, size))
    assert kept.notes == face_set().notes
    assert other.notes == (*kept.notes, f"faces of 40 px, {how} to {size} px as asked (size=40 keeps them)")
    assert other.protocol.hash == kept.protocol.hash
    closer = load(f"pack:{tmp_path / 'a.pack'}?margin=-0.1", size=size)
    assert (other.notes[-1] in closer.notes) == (
        how == "enlarged"
    )  # a closer cut is fitted from the own size in any case
