"""Small faces in large photos: found, missed and false faces of mosaics, and the time, for several settings of the detector.

    python benchmarks/small_faces.py photos.zip

The input is a folder or zip as for benchmarks/detector.py. A mosaic of 4000 x 3000 pixels repeats the photos with faces; its known
faces are those that the detector finds in each photo alone at its own size. Smaller photos have smaller faces. Missed faces are
counted from 20 pixels (the shorter side of the box). A second mosaic has photos without people, where each face found is false. The
panorama has one face of 300 pixels in 12,000 x 400.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from facelet.io import pixels
from facelet.io.pixels import Image, cv2
from facelet.runtime.detection import Detection
from facelet.runtime.detector import Detector
from facelet.runtime.media import photos

HEIGHT, WIDTH = 3000, 4000
SCALES = (1.0, 0.5, 0.25)
LEAST = 20
ROUNDS = 5
SETTINGS: dict[str, Callable[[str], Detector]] = {
    "640": lambda file: Detector(file, detail=640),
    "1280": lambda file: Detector(file, detail=1280),
    "by size (default)": Detector,
}

Box = tuple[float, float, float, float]


class Mosaic(NamedTuple):
    """A large photo and the boxes of its faces."""

    photo: Image
    boxes: list[Box]


def mosaic(parts: Sequence[Mosaic], height: int = HEIGHT, width: int = WIDTH) -> Mosaic:
    """Repeats photos in shelves until the canvas is full; a photo that does not fit at the end of a shelf is left out there."""
    canvas, boxes = np.full((height, width, 3), 127, np.uint8), []
    top, number, skipped = 0, 0, 0
    while skipped < len(parts):
        left = shelf = skipped = 0
        while skipped < len(parts):
            part = parts[number % len(parts)]
            number += 1
            down, across = part.photo.shape[:2]
            if left + across > width or top + down > height:
                skipped += 1
                continue
            canvas[top : top + down, left : left + across] = part.photo
            boxes += [(x + left, y + top, w, h) for x, y, w, h in part.boxes]
            left, shelf, skipped = left + across, max(shelf, down), 0
        if not shelf:
            break
        top, skipped = top + shelf, 0
    return Mosaic(canvas, boxes)


def compared(found: Sequence[Detection], known: Sequence[Box]) -> tuple[int, int, int]:
    """(missed, duplicate, other): known faces from LEAST pixels without a detection; further detections of a face; the rest."""
    holders = [[place for place, box in enumerate(known) if _same(face.box, box)] for face in found]
    seen = [places[0] for places in holders if places]
    missed = sum(min(box[2:]) >= LEAST and place not in seen for place, box in enumerate(known))
    return missed, len(seen) - len(set(seen)), sum(not places for places in holders)


def _same(box: Box, other: Box) -> bool:
    return all(
        a[0] <= b[0] + b[2] / 2 <= a[0] + a[2] and a[1] <= b[1] + b[3] / 2 <= a[1] + a[3]
        for a, b in ((box, other), (other, box))
    )


def scaled(part: Mosaic, scale: float) -> Mosaic:
    photo = cv2.resize(part.photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale != 1 else part.photo
    return Mosaic(photo, [tuple(scale * value for value in box) for box in part.boxes])


def panorama(part: Mosaic) -> Mosaic:
    """One face of 300 pixels in 12,000 x 400, on grey."""
    height = part.boxes[0][3]
    photo, boxes = scaled(part, 300 / height)
    down, across = min(400, photo.shape[0]), photo.shape[1]
    start = max(0, min(photo.shape[0] - down, round(boxes[0][1] - 50)))
    canvas = np.full((400, 12_000, 3), 127, np.uint8)
    canvas[:down, 7000 : 7000 + across] = photo[start : start + down]
    return Mosaic(canvas, [(boxes[0][0] + 7000, boxes[0][1] - start, *boxes[0][2:])])


def milliseconds(find: Detector, photo: Image) -> float:
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        find(photo)
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def scenes(people: Sequence[Mosaic], nobody: Sequence[Mosaic]) -> dict[str, Mosaic]:
    made = {f"mosaic, photos x{scale:g}": mosaic([scaled(part, scale) for part in people]) for scale in SCALES}
    made["mosaic without people"] = mosaic(nobody)
    portrait = next(part for part in people if len(part.boxes) == 1)
    made["panorama 12,000 x 400"] = panorama(portrait)
    made["one photo, 640 px"] = scaled(portrait, 640 / max(portrait.photo.shape[:2]))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--detector", default="", help="YuNet's file; default: as in `facelet predict`")
    args = parser.parse_args()
    alone = Detector(args.detector, turns="never")
    with tempfile.TemporaryDirectory() as folder:
        if args.photos.is_file():
            with zipfile.ZipFile(args.photos) as pack:
                pack.extractall(folder)
        people, nobody = [], []
        for file in photos.find([folder if args.photos.is_file() else args.photos]):
            photo = pixels.to_channels(pixels.read(file), 3)
            if "noface" in file.parts:
                nobody.append(Mosaic(photo, []))
            else:
                people.append(Mosaic(photo, [face.box for face in alone(photo)]))
    table = Table(box=None, pad_edge=False)
    for column in ("photo", "detail", "faces", f"from {LEAST} px", "found", "missed", "duplicate", "other", "ms"):
        table.add_column(column, justify="left" if column in ("photo", "detail") else "right")
    for name, scene in scenes(people, nobody).items():
        large = sum(min(box[2:]) >= LEAST for box in scene.boxes)
        for setting, make in SETTINGS.items():
            find = make(args.detector)
            found = find(scene.photo)
            missed, duplicate, other = compared(found, scene.boxes)
            figures = (len(scene.boxes), large, len(found), missed, duplicate, other)
            table.add_row(name, setting, *map(str, figures), f"{milliseconds(find, scene.photo):.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
