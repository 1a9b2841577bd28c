"""Compares crops by a model's accuracy, to find the crop that matches its training faces.

Validation faces are pasted into larger pictures, detected, cropped in several ways and classified.

    python reproduce/framing.py MODEL --faces ferplus:ferplus.zip [--faces rafdb:rafdb.zip?test=0.2]

A picture is the face with its edge pixels repeated to three times its side, so the detector sees no hair or neck, and its boxes
may be a little wider on photos. Set the best row as the recipe's ``crop``; `facelet predict` then uses it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from facelet.errors import FaceletError
from facelet.faces import FaceSet, load
from facelet.io.pixels import cv2
from facelet.measure.metrics.intervals import wilson
from facelet.measure.metrics.labels import match_labels
from facelet.models.model_file import CropInfo
from facelet.runtime.align import cut
from facelet.runtime.detector import SCORE_OF_CROPS, Detection, Detector
from facelet.runtime.model import Model

MARGINS = tuple(round(0.04 * step, 2) for step in range(-4, 6))
ALIGNS = get_args(CropInfo.model_fields["align"].annotation)


def in_a_picture(face: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8 (3S, 3S, C): the face in the middle, its edge pixels around it."""
    side = len(face)
    return cv2.copyMakeBorder(face, side, side, side, side, cv2.BORDER_REPLICATE).reshape(3 * side, 3 * side, -1)


def nearest_the_middle(found: Sequence[Detection], side: int) -> Detection | None:
    """The detection of the pasted face, whose box contains the centre of the picture; None if it was missed."""

    def away(one: Detection) -> float:
        left, top, width, height = one.box
        return max(abs(left + width / 2 - 1.5 * side) / width, abs(top + height / 2 - 1.5 * side) / height)

    inside = [one for one in found if away(one) < 0.5]
    return min(inside, key=away) if inside else None


def cropped(pictures: Sequence[Any], where: Sequence[Detection], crop: CropInfo, size: int) -> NDArray[np.uint8]:
    return np.stack(
        [cut(picture, one.box, one.landmarks, crop, size) for picture, one in zip(pictures, where, strict=True)]
    )


def measure(model: Model, faces: FaceSet, most: int, console: Console) -> None:
    """Prints a table with a row per crop, best first."""
    val = faces.labelled("val")
    val = val.take(np.sort(np.random.default_rng(0).permutation(len(val))[:most]))
    detector = Detector(score=SCORE_OF_CROPS, detail=640, turns="never")
    pictures, where, rows = [], [], []
    for row, face in enumerate(track(val.images, f"looking for {len(val):,} faces of {faces.source}", console=console)):
        picture = in_a_picture(face)
        if one := nearest_the_middle(
            detector(np.repeat(picture, 3, 2) if picture.shape[2] == 1 else picture), val.size
        ):
            pictures.append(picture)
            where.append(one)
            rows.append(row)
    if not rows:
        raise FaceletError(f"the detector finds none of {len(val):,} faces of {faces.source}")
    found = val.take(np.array(rows, np.int64))
    columns = match_labels(found.classes, model.info.labels)

    def right(images: NDArray[np.uint8]) -> int:
        return int((model.probabilities(images).argmax(1) == columns[found.labels]).sum())

    size = model.info.input.cut_size
    ways = [CropInfo(align=align, margin=margin) for align, margin in product(ALIGNS, MARGINS)]
    counts = {f"{way.align}, margin {way.margin:g}": right(cropped(pictures, where, way, size)) for way in ways}
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("cut out by", "accuracy", "95 % interval"):
        table.add_column(title, justify="left" if title == "cut out by" else "right")
    best = sorted(counts.items(), key=lambda pair: -pair[1])
    for name, count in [("as given", right(found.images)), *best[:12], *best[-2:]]:
        low, high = wilson(count, len(found))
        table.add_row(name, f"{count / len(found):.1%}", f"{low:.1%} to {high:.1%}")
    console.print(f"{faces.source}: {len(found):,} of {len(val):,} validation faces found by the detector")
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--faces", action="append", required=True)
    parser.add_argument("--most", type=int, default=2000, help="validation faces of each source")
    args = parser.parse_args()
    try:
        model, console = Model.load(args.model), Console()
        for source in args.faces:
            measure(model, load(source), args.most, console)
    except FaceletError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
