"""Counts false and missed faces for several thresholds of the detector's score.

    python benchmarks/detector.py photos.zip

The input is a folder or zip with photos/dlib_faces (boxes in dlib's XML), photos/noface (no people) and photos/verify (one
person each). Missed faces are counted at several photo sizes, since small faces have lower scores. An unlabelled face, such as
a blurred face in the background, counts as false.
"""

from __future__ import annotations

import argparse
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from rich.console import Console
from rich.table import Table

from facelet.io import pixels
from facelet.io.pixels import Image, cv2
from facelet.runtime.detector import SCORE, Detector

THRESHOLDS = (0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9)
SCALES = (1.0, 0.5, 0.25)

Box = Sequence[float]


class Case(NamedTuple):
    """A photo and its face boxes; ``boxes`` None: one face at an unknown position."""

    photo: Image
    boxes: list[Box] | None


def cases(folder: Path) -> Iterator[Case]:
    """The photos with labelled faces."""
    for part in ("training.xml", "testing.xml"):
        for image in ElementTree.parse(folder / "dlib_faces" / part).getroot().iter("image"):
            boxes = [
                [float(box.get(key, 0)) for key in ("left", "top", "width", "height")] for box in image.iter("box")
            ]
            yield Case(pixels.read(folder / "dlib_faces" / image.get("file", "")), list(boxes))
    for name, boxes in (("noface", []), ("verify", None)):
        for file in sorted((folder / name).iterdir()):
            yield Case(pixels.read(file), boxes)


def count(found: Sequence[Box], known: Sequence[Box] | None) -> tuple[int, int]:
    """Returns (missed, false): labelled faces without a detection at their centre, and detections without a label.

    ``known`` None: the photo has one face, and the largest detection counts as correct.
    """
    if known is None:
        return int(not found), max(0, len(found) - 1)
    missed = sum(not any(_same(box, face) for box in found) for face in known)
    return missed, sum(not any(_same(one, face) for face in known) for one in found)


def _same(found: Box, known: Box) -> bool:
    return _holds(found, known) and _holds(known, found)


def _holds(box: Box, other: Box) -> bool:
    x, y = other[0] + other[2] / 2, other[1] + other[3] / 2
    return box[0] <= x <= box[0] + box[2] and box[1] <= y <= box[1] + box[3]


def scaled(case: Case, scale: float) -> Case:
    if scale == 1:
        return case
    photo = cv2.resize(case.photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return Case(photo, None if case.boxes is None else [[scale * value for value in box] for box in case.boxes])


def totals(find: Detector, some: Sequence[Case]) -> tuple[int, int]:
    """Total (missed, false) over all photos."""
    counts = [count([face.box for face in find(case.photo)], case.boxes) for case in some]
    return sum(missed for missed, _ in counts), sum(false for _, false in counts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--detector", default="", help="YuNet's file; default: as in `facelet predict`")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if args.photos.is_file():
            with zipfile.ZipFile(args.photos) as pack:
                pack.extractall(folder)
        root = Path(folder) if args.photos.is_file() else args.photos
        some = list(cases(root / "photos" if (root / "photos").is_dir() else root))
    faces = sum(1 if case.boxes is None else len(case.boxes) for case in some)
    table = Table(box=None, pad_edge=False, title=f"{len(some)} photos, {faces} faces", title_justify="left")
    table.add_column("min score")
    for scale in SCALES:
        table.add_column(f"missed, x{scale:g}", justify="right")
        table.add_column("false", justify="right")
    for threshold in THRESHOLDS:
        find = Detector(args.detector, threshold)
        row = [str(number) for scale in SCALES for number in totals(find, [scaled(case, scale) for case in some])]
        table.add_row(f"{threshold:g}{' (default)' if threshold == SCORE else ''}", *row)
    Console().print(table)


if __name__ == "__main__":
    main()
