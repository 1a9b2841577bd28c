"""Predictions for photos rolled by 0 to 345 degrees, against those for the upright photos.

    python benchmarks/turns.py photos.zip
    python benchmarks/turns.py photos.zip --turns never     # faces as the detector finds them

The input is a folder or zip of photos. A face counts if its shorter side has at least 32 pixels in the upright photo. For each
angle: faces found again, the share whose label stays, and the mean change of the probabilities (half the sum of absolute
differences). The rows of 5 degrees are the noise to compare with: so small a tilt changes nothing that people would notice.
"""

from __future__ import annotations

import argparse
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from facelet.io import pixels
from facelet.io.pixels import Image, cv2
from facelet.runtime.analyzer import Analyzer
from facelet.runtime.detector import Detector
from facelet.runtime.face import Face
from facelet.runtime.media import photos

NOISE = (-5, 5)
STEP = 15
SMALLEST = 32


class Counts(NamedTuple):
    """Faces of the upright photos, those found again, those with the same label, the sum of changes, other faces found."""

    faces: int
    found: int
    same: int
    change: float
    others: int


def rolled(photo: Image, angle: float) -> tuple[Image, NDArray[np.float64]]:
    """The photo turned clockwise by ``angle`` degrees on a canvas that holds all of it, and the (2, 3) map of its points."""
    height, width = photo.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -angle, 1)
    across, down = np.abs(matrix[:, :2]) @ (width, height)
    matrix[:, 2] += np.array([across - width, down - height]) / 2
    if angle % 90 == 0:  # whole pixels
        return np.ascontiguousarray(np.rot90(photo, -round(angle / 90))), matrix
    pixel = matrix.copy()
    pixel[:, 2] += matrix[:, :2].sum(axis=1) / 2 - 0.5  # OpenCV counts from the centre of the first pixel
    size = round(across), round(down)
    return cv2.warpAffine(photo, pixel, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), matrix


def shrunk(photo: Image, side: int) -> Image:
    scale = side / max(photo.shape[:2])
    return cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else photo


def counts(upright: Sequence[Face], faces: Sequence[Face], matrix: NDArray[np.float64]) -> Counts:
    """Compares the faces of a rolled photo with those of the upright photo, matched by the point between eyes and mouth."""
    left = list(faces)
    found = same = 0
    change = 0.0
    for face in upright:
        middle = matrix[:, :2] @ _middle(face) + matrix[:, 2]
        reach = 0.35 * max(face.box[2:])
        near = [other for other in left if np.hypot(*(_middle(other) - middle)) < reach]
        if near:
            other = max(near, key=lambda other: other.score)
            left.remove(other)
            found += 1
            same += other.expression == face.expression
            change += (
                sum(abs(face.probabilities[label] - other.probabilities[label]) for label in face.probabilities) / 2
            )
    return Counts(len(upright), found, same, change, len(left))


def _middle(face: Face) -> NDArray[np.float64]:
    left, top, width, height = face.box
    return np.array([left + width / 2, top + height / 2])


def measured(analyzer: Analyzer, images: Sequence[Image], angles: Sequence[float]) -> Iterator[tuple[float, Counts]]:
    """Yields the totals over all photos for each angle."""
    upright = [[face for face in analyzer.analyze(image) if min(face.box[2:]) >= SMALLEST] for image in images]
    for angle in angles:
        rows = []
        for image, faces in zip(images, upright, strict=True):
            turned, matrix = rolled(image, angle)
            rows.append(counts(faces, analyzer.analyze(turned), matrix))
        yield angle, Counts(*(sum(values) for values in zip(*rows, strict=True)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--model", default="")
    parser.add_argument("--detector", default="", help="YuNet's file; default: as in `facelet predict`")
    parser.add_argument("--side", type=int, default=800, help="long side to which larger photos are shrunk")
    parser.add_argument("--step", type=int, default=STEP, help="degrees between the angles")
    parser.add_argument("--turns", default="auto", choices=["auto", "always", "never"])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if args.photos.is_file():
            with zipfile.ZipFile(args.photos) as pack:
                pack.extractall(folder)
        files = [
            file
            for file in photos.find([folder if args.photos.is_file() else args.photos])
            if "noface" not in file.parts
        ]
        images = [shrunk(pixels.to_channels(pixels.read(file), 3), args.side) for file in files]
    analyzer = Analyzer(args.model, Detector(args.detector, turns=args.turns), threads=1)
    table = Table(box=None, pad_edge=False, title=f"{len(images)} photos, turns {args.turns}", title_justify="left")
    for column in ("degrees", "faces", "found", "label stays", "mean change", "other faces"):
        table.add_column(column, justify="right")
    totals: dict[bool, list[Counts]] = {True: [], False: []}
    for angle, row in measured(analyzer, images, [*NOISE, *range(0, 360, args.step)]):
        totals[angle in NOISE].append(row)
        table.add_row(f"{angle:g}", *_cells(row))
    for name, rows in (("mean of -5, 5", totals[True]), ("mean of the others", totals[False])):
        table.add_row(name, *_cells(Counts(*(sum(values) for values in zip(*rows, strict=True)))))
    Console().print(table)


def _cells(row: Counts) -> list[str]:
    found = max(1, row.found)
    return [
        f"{row.faces}",
        f"{row.found / row.faces:.1%}",
        f"{row.same / found:.1%}",
        f"{row.change / found:.3f}",
        f"{row.others}",
    ]


if __name__ == "__main__":
    main()
