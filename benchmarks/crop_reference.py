"""Writes the reference crops and the picture of docs/crop.md, for testing ports of the crop to other languages.

    python benchmarks/crop_reference.py --out docs

Output: crop.json (boxes and landmarks with the expected squares and pixels) and pictures/crop.png (a drawn face).
"""

from __future__ import annotations

import argparse
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from facelet.faces.cartoon.scene import draw_photo
from facelet.io import pixels
from facelet.io.pixels import Image, cv2
from facelet.models.model_file import CropInfo
from facelet.runtime import align
from facelet.runtime.drawing.lettering import measure, put

WIDTH, HEIGHT, SIZE = 80, 60, 12
BOXES = (
    ("a face that is taller than wide", (20.0, 10.0, 24.0, 32.0), 0.0),
    ("with a margin, halves rounded to the even number", (20.5, 9.0, 25.0, 30.0), 0.25),
    ("closer than its box, as of the model expression", (21.3, 12.7, 27.9, 36.2), -0.04),
    ("beyond the upper left corner", (-12.0, -7.5, 30.0, 41.0), 0.1),
    ("beyond the lower right corner", (60.2, 33.3, 31.0, 38.6), 0.0),
    ("smaller than what it is resized to", (40.0, 30.0, 5.0, 7.0), 0.0),
)
LANDMARKS = (
    ("upright", ((30.0, 24.0), (44.0, 24.0), (37.0, 32.0), (31.5, 39.0), (42.5, 39.0))),
    ("turned", ((28.0, 30.0), (41.0, 22.0), (39.5, 33.0), (36.0, 42.0), (46.0, 35.5))),
)


def pattern() -> Image:
    """Synthetic photo: the value at (x, y, channel) is (31 x + 17 y + 53 channel + 7 x y) modulo 256."""
    y, x, channel = np.mgrid[:HEIGHT, :WIDTH, :3]
    return ((31 * x + 17 * y + 53 * channel + 7 * x * y) % 256).astype(np.uint8)


def golden() -> dict[str, Any]:
    """Content of docs/crop.json."""
    photo, nothing = pattern(), np.zeros((5, 2), np.float32)
    cases = []
    for what, box, margin in BOXES:
        crop = CropInfo(margin=margin)
        side = max(1, round(max(box[2:]) * (1 + 2 * margin)))
        whole = align.cut(photo, box, nothing, crop, side)
        cases.append(
            {
                "what": what,
                "box": box,
                "margin": margin,
                "left": round(box[0] + box[2] / 2 - side / 2),
                "top": round(box[1] + box[3] / 2 - side / 2),
                "side": side,
                "crc32": zlib.crc32(np.ascontiguousarray(whole).tobytes()),
                "first_row": whole[0, :4].tolist(),
                "resized_red": align.cut(photo, box, nothing, crop, SIZE)[..., 0].tolist(),
            }
        )
    squares = []
    for what, points in LANDMARKS:
        for kind in ("eyes", "five-points"):
            unit = align.square((0, 0, 1, 1), np.array(points, np.float32), CropInfo(align=kind))
            corners = (unit @ [[0, 1, 0], [0, 0, 1], [1, 1, 1]]).T
            squares.append({"what": what, "align": kind, "landmarks": points, "corners": np.round(corners, 3).tolist()})
    return {
        "photo": {"width": WIDTH, "height": HEIGHT, "value": "(31 x + 17 y + 53 channel + 7 x y) modulo 256"},
        "size": SIZE,
        "boxes": cases,
        "landmarks": squares,
    }


def as_text(document: dict[str, Any]) -> str:
    """JSON text with one line per case."""
    parts = []
    for key, value in document.items():
        rows = ",\n  ".join(json.dumps(row) for row in value) if isinstance(value, list) else json.dumps(value)
        parts.append(f' "{key}": ' + (f"[\n  {rows}\n ]" if isinstance(value, list) else rows))
    return "{\n" + ",\n".join(parts) + "\n}\n"


def picture() -> Image:
    """Picture of a drawn face with box and square, of its crop, and of the distorted crop of a stretched box."""
    scene = draw_photo(seed=3, faces=1, height=480, expressions=["happiness"])
    left, top, width, height = scene.boxes[0].tolist()
    box = (float(left), float(top), float(width), float(height))
    side = max(box[2:])
    photo = scene.image.copy()
    x, y = box[0] + box[2] / 2 - side / 2, box[1] + box[3] / 2 - side / 2
    for colour, area in (((86, 180, 233), box), ((255, 200, 60), (x, y, side, side))):
        start, end = area[:2], (area[0] + area[2], area[1] + area[3])
        cv2.rectangle(photo, tuple(map(round, start)), tuple(map(round, end)), colour, 3, cv2.LINE_AA)
    crop = align.cut(scene.image, box, np.zeros((5, 2), np.float32), CropInfo(), 360)
    rows, columns = slice(round(box[1]), round(box[1] + box[3])), slice(round(box[0]), round(box[0] + box[2]))
    stretched = pixels.resize(np.ascontiguousarray(scene.image[rows, columns]), 360)
    canvas = np.full((540, photo.shape[1] + 2 * 400 + 20, 3), 255, np.uint8)
    canvas[10:490, 10 : 10 + photo.shape[1]] = photo
    places = [(10, "the detector's box (blue), the square (yellow)")]
    for number, (image, words) in enumerate(((crop, "right: the square"), (stretched, "wrong: the box, stretched"))):
        at = photo.shape[1] + 40 + 400 * number
        canvas[70:430, at : at + 360] = image
        places.append((at, words))
    for at, words in places:
        assert at + measure(words, 22)[0] <= canvas.shape[1]
        put(canvas, words, (at, 525 if at == 10 else 465), 22, (40, 40, 40))
    return canvas


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs"))
    args = parser.parse_args()
    (args.out / "pictures").mkdir(parents=True, exist_ok=True)
    (args.out / "crop.json").write_text(as_text(golden()))
    _, encoded = cv2.imencode(".png", cv2.cvtColor(picture(), cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 9])
    (args.out / "pictures" / "crop.png").write_bytes(encoded.tobytes())


if __name__ == "__main__":
    main()
