"""LFW, Labeled Faces in the Wild: 6,000 pairs in ten folds (Huang et al. 2007, http://vis-www.cs.umass.edu/lfw/).

>>> pairs = load_pairs("lfw:lfw_112.zip")                   # already aligned to 112 x 112
>>> pairs = load_pairs("lfw:lfw?pairs=downloads/pairs.txt") # the published photos of 250 x 250, aligned on loading

Reads ``<Name>/<Name>_0001.jpg`` and ``pairs.txt`` as a folder or a zip. A training set of celebrities may contain people of
LFW, which makes the accuracy too optimistic: ``faces.inspect.overlap`` searches for their names.

The first line of ``pairs.txt`` has the number of folds and the number of pairs of each kind in a fold. A fold has that many lines
``Name 1 4`` (same person, two photos), then as many lines ``Name 1 Other 3`` (two people).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facelet.errors import FaceletError, unknown
from facelet.faces.loading import PAIRS
from facelet.faces.pairset import PairSet
from facelet.faces.reading.aligned import read_aligned
from facelet.faces.reading.archive import MAX_FILE, Archive, open_archive
from facelet.faces.reading.images import read_images
from facelet.io import image_header
from facelet.io.files import existing, read_bytes

SIDE = 112
STANDARD = (10, 300)
LICENCE = "LFW: for research; the photos are their owners'"
PAIRS_FILE = "pairs.txt"
ALIGN = ("auto", "yes", "no")
SAMPLE = 32


@PAIRS.register("lfw")
def lfw(
    path: str, *, size: int | None = None, channels: int | None = None, pairs: str = "", align: str = "auto"
) -> PairSet:
    """The pairs of LFW and their photos, by default 112 px and RGB.

    Args:
        path: folder or zip.
        size: side in pixels; 112 when None.
        channels: 1 (grey) or 3 (RGB); 3 when None.
        pairs: the file of pairs, if it is not among the photos.
        align: "yes" detects faces with YuNet and aligns them to ArcFace's template; "auto" does so unless they have 112 pixels.

    Raises FaceletError when the layout is not found, a photo of a pair is missing or damaged, or ``pairs.txt`` is malformed.
    """
    if align not in ALIGN:
        raise unknown("value of align", align, ALIGN)
    with open_archive(path) as archive:
        listed = parse_pairs(*_pairs_text(archive, pairs))
        faces = listed.faces
        files = _located(archive, faces)
        notes: tuple[str, ...] = ()
        if align == "yes" or (align == "auto" and not _ready(archive, files)):
            images, notes = read_aligned(archive, files, size=size or SIDE, channels=channels or 3)
            how = "aligned by YuNet's five points"
        else:
            images, _, notes = read_images(archive, files, size=size or SIDE, channels=channels or 3)
            how = "aligned as given"
    row = {face: number for number, face in enumerate(faces)}
    folds = int(listed.folds[-1]) + 1
    if (folds, listed.each) != STANDARD:
        notes = ("not LFW's own 10 folds of 300 + 300 pairs: no figure for comparison", *notes)
    return PairSet(
        images=images,
        names=np.array([f"{face}{os.path.splitext(file)[1]}" for face, file in zip(faces, files, strict=True)]),
        pairs=np.array([(row[first], row[second]) for first, second in listed.pairs], np.int64),
        same=listed.same,
        folds=listed.folds,
        source="lfw",
        rule=f"{folds} folds of {listed.each} + {listed.each}, outside data, {how}",
        notes=notes,
        licence=LICENCE,
    )


def _pairs_text(archive: Archive, given: str) -> tuple[str, str]:
    """Text of the file of pairs, and its name for errors."""
    if given:
        return read_bytes(existing(given, "file"), MAX_FILE).decode("utf-8", "replace"), given
    matches = [name for name in archive.names if name.rsplit("/", 1)[-1] == PAIRS_FILE]
    if not matches:
        raise FaceletError(
            f"{archive.path} holds no {PAIRS_FILE}; put it beside the folders of the people, or give its path: "
            f"'lfw:{archive.path}?pairs=FILE'"
        )
    name = min(matches, key=lambda name: (name.count("/"), name))
    return archive.read(name).decode("utf-8", "replace"), f"{archive.path}: {name}"


def _located(archive: Archive, faces: Sequence[str]) -> list[str]:
    """The file of each face ``Name/Name_0001``, at any depth of the archive."""
    where: dict[str, list[str]] = {face: [] for face in faces}
    for name in archive.images:
        face = "/".join(os.path.splitext(name)[0].split("/")[-2:])
        if face in where:
            where[face].append(name)
    missing = [face for face, files in where.items() if not files]
    if missing:
        more = f" and {len(missing) - 3:,} more" if len(missing) > 3 else ""
        raise FaceletError(
            f"{archive.path} is not LFW: its pairs name {len(faces):,} photos, {len(missing):,} of which are missing "
            f"({', '.join(f'{face}.jpg' for face in missing[:3])}{more})"
        )
    twice = next((files for files in where.values() if len(files) > 1), None)
    if twice:
        raise FaceletError(
            f"{archive.path}: {twice[0]} and {twice[1]} are the same photo of LFW; give one of the folders"
        )
    return [where[face][0] for face in faces]


def _ready(archive: Archive, files: Sequence[str]) -> bool:
    """Whether the photos are already faces of 112 pixels, by a sample."""
    rows = np.linspace(0, len(files) - 1, min(SAMPLE, len(files))).astype(int)
    sides = set()
    for row in rows:
        header = image_header.parse(archive.read(files[row]))
        sides |= {(header.width, header.height)} if header else set()
    if len(sides) > 1 and (SIDE, SIDE) in sides:
        raise FaceletError(f"{archive.path} has aligned faces and whole photos; give a folder with one kind")
    return sides == {(SIDE, SIDE)}


@dataclass(frozen=True, eq=False)
class PairList:
    """P pairs of faces by name, ``Name/Name_0001`` without the suffix.

    Attributes:
        pairs: the two faces of each pair.
        same: bool (P,), whether both faces are of the same person.
        folds: int64 (P,).
        each: number of pairs of each kind in a fold.
    """

    pairs: list[tuple[str, str]]
    same: NDArray[np.bool_]
    folds: NDArray[np.int64]
    each: int

    @property
    def faces(self) -> list[str]:
        """The distinct faces of the pairs, sorted."""
        return sorted({face for pair in self.pairs for face in pair})


def parse_pairs(text: str, where: str) -> PairList:
    """Parses ``pairs.txt`` and checks every line. Raises FaceletError with ``where``, the line and the expected form."""
    lines = text.replace("\r\n", "\n").rstrip().split("\n")
    header = lines[0].split()
    if len(header) != 2 or not all(cell.isdecimal() for cell in header):
        raise FaceletError(
            f"{where}: its first line should have the number of folds and of pairs of each kind in a fold, as 10 300, "
            f"not {lines[0][:40]!r}"
        )
    folds, each = map(int, header)
    expected = 2 * folds * each
    if folds < 2 or not each or len(lines) - 1 != expected:
        raise FaceletError(
            f"{where}: {folds} folds of {each} + {each} pairs are {expected:,} lines, it has {len(lines) - 1:,}"
            + ("; expected at least two folds" if folds < 2 else "")
        )
    place = np.arange(expected)
    same = place % (2 * each) < each
    pairs = [
        _pair(line.split(), together, f"{where}: line {number}")
        for number, (line, together) in enumerate(zip(lines[1:], same.tolist(), strict=True), 2)
    ]
    return PairList(pairs, same, place // (2 * each), each)


def _pair(cells: list[str], same: bool, where: str) -> tuple[str, str]:
    if len(cells) == (3 if same else 4):
        first, first_photo, second, second_photo = (cells[0], cells[1], cells[0], cells[2]) if same else cells
        if (first == second) != same or (same and first_photo == second_photo):
            raise FaceletError(f"{where} should be of {'two photos of one person' if same else 'two people'}")
        return _face(first, first_photo, where), _face(second, second_photo, where)
    form = "Name 1 4" if same else "Name 1 Other 3"
    raise FaceletError(f"{where} should read {form!r} at this place of its fold, not {' '.join(cells)[:60]!r}")


def _face(name: str, number: str, where: str) -> str:
    if not number.isdecimal() or not 0 < int(number) <= 9999:
        raise FaceletError(f"{where}: {number!r} should be the number of a photo, 1 to 9999")
    return f"{name}/{name}_{int(number):04d}"
