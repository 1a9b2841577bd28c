"""Protocols: equal for equal faces on every machine, blind to notes, and clear about what differs."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from facelet.errors import FaceletError
from facelet.faces import load
from facelet.faces.protocol import Protocol
from facelet.faces.sources.ferplus import CLASSES as FERPLUS_CLASSES
from facelet.faces.sources.pack_writer import write_pack

SCRIPT = """
import json, os, random, sys

shuffle, scandir, listdir = random.Random(sys.argv[1]), os.scandir, os.listdir


class Shuffled(list):
    __enter__ = lambda self: self
    __exit__ = lambda self, *_: None
    close = lambda self: None


def mixed(entries):
    entries = list(entries)
    shuffle.shuffle(entries)
    return Shuffled(entries)


os.scandir = lambda *path: mixed(scandir(*path))
os.listdir = lambda *path: mixed(listdir(*path))

from facelet.faces import load, load_pairs
from facelet.faces.concat import concat

found = {}
for text in sys.argv[2:]:
    if text.startswith("lfw:"):
        faces = load_pairs(text)
    else:
        faces = concat([load(source, size=16, channels=1) for source in text.split(" + ")])
        found[text + " pixels"] = faces.pixels_hash
    found[text] = {**faces.protocol.to_json(), "hash": faces.protocol.hash}
print(json.dumps(found))
"""


@pytest.fixture
def sources(lay_out, zipped, small_lfw, face_set, tmp_path) -> list[str]:
    """One source of every kind, with much beside the images that has to be noted."""
    folder = lay_out(f"{name}/{number}.png" for name in ("happy", "sad", "über") for number in range(8))
    for number, ending in enumerate((".heic", ".txt", ".mov", ".pdf", ".db", ".xmp", ".raw")):
        (folder / "happy" / f"{number}{ending}").write_bytes(b"x")
    people = lay_out((f"person {n}/{k}.png" for n in range(6) for k in range(3)), name="people")
    rows = [f"{file.relative_to(folder).as_posix()},{file.parent.name}" for file in sorted(folder.rglob("*.png"))]
    (folder / "faces.csv").write_text("\n".join(["path,label", *rows]), encoding="utf-8")
    rafdb = lay_out(
        (f"DATASET/{s}/{k}/{s}_{n}{k}.jpg" for s in ("train", "test") for k in range(1, 8) for n in range(4)),
        name="rafdb",
    )
    ckplus = lay_out(
        (f"{name}/S{s:03d}_00{k}_00000001.png" for s in range(20) for k, name in enumerate(("anger", "happy"))),
        name="ck",
    )
    write_pack(face_set(), tmp_path / "a.pack")
    return [
        f"folder:{folder}", f"folder:{zipped(folder)}", f"folder:{folder / 'faces.csv'}", f"identities:{people}",
        f"faces:{people}?val=0.2", f"ferplus:{ferplus(lay_out)}", f"rafdb:{rafdb}", f"ckplus:{ckplus}",
        f"lfw:{small_lfw()}", f"pack:{tmp_path / 'a.pack'}", "toy?faces=60",
        f"identities:{people} + folder:{folder} + faces:{people} + toy?faces=60",
    ]  # fmt: skip


def ferplus(lay_out) -> Path:
    names = [f"fer{number:07d}.png" for number in range(24)]
    usages = ("Training", "PublicTest", "PrivateTest")
    root = lay_out(
        (f"{('FER2013Train', 'FER2013Valid', 'FER2013Test')[n % 3]}/{name}" for n, name in enumerate(names)),
        name="fer",
    )
    with (root / "fer2013new.csv").open("w", newline="") as file:
        votes = [[usages[n % 3], name, *(9 * (k == n % 8) for k in range(8)), 1, 0] for n, name in enumerate(names)]
        csv.writer(file).writerows([["Usage", "Image name", *FERPLUS_CLASSES, "unknown", "NF"], *votes])
    return root


def protocols(seed: int, sources: list[str]) -> dict:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(seed), *sources],
        env={**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": str(Path(__file__).parents[2] / "src")},
        capture_output=True,
        text=True,
    )
    assert not done.returncode, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_neither_hash_seeds_nor_the_order_of_folders_change_a_protocol(sources):
    first = protocols(1, sources)
    assert len(first) == 2 * len(sources) - 1
    assert any(".heic" in str(value) for value in first.values())
    for seed in (2, 3, 4):
        assert protocols(seed, sources) == first


def test_a_file_that_is_no_image_changes_no_hash(lay_out):
    folder = lay_out(f"{name}/{number}.png" for name in ("happy", "sad") for number in range(8))
    before = load(f"folder:{folder}").protocol
    for name in ("Thumbs.db", "desktop.ini"):
        (folder / "happy" / name).write_bytes(b"x")
    after = load(f"folder:{folder}").protocol
    assert after.notes == ("2 other files ignored (.db, .ini)",)
    assert after.hash == before.hash
    after.require_same(before)


def test_the_hash_of_earlier_versions_still_holds(face_set):
    protocol = face_set().protocol
    # Taken from the version whose hashes covered the notes: packs that carry it should still open.
    assert protocol.notes
    assert protocol.has_hash("d87ac7c1")
    assert protocol.has_hash(protocol.hash)
    assert not protocol.has_hash("00000000")
    assert protocol.hash == replace(protocol, notes=()).hash


def test_a_pack_under_an_earlier_hash_opens(face_set, tmp_path, monkeypatch):
    faces = face_set()
    monkeypatch.setattr(Protocol, "hash", property(lambda self: "d87ac7c1"))
    write_pack(faces, tmp_path / "old.pack")
    monkeypatch.undo()
    assert load(f"pack:{tmp_path / 'old.pack'}").protocol == faces.protocol


def test_an_error_names_both_values(face_set):
    mine = face_set().protocol
    with pytest.raises(FaceletError, match="rule: 'majority' and 'votes'"):
        mine.require_same(replace(mine, rule="votes"))
    counts = {**mine.counts, "train": {**mine.counts["train"], "joy": 1}}
    with pytest.raises(FaceletError, match=r"differ in train faces of joy: \d+ and 1$"):
        mine.require_same(replace(mine, counts=counts))
    with pytest.raises(FaceletError, match=r"val faces of \w+: \d+ and None.*; and \d+ more"):
        mine.require_same(replace(mine, counts={"train": mine.counts["train"]}))
    replace(mine, notes=("another",)).require_same(mine)
