"""Scenes with several cartoon people in front of a landscape, for trying an analyzer, and portraits.

Own work, drawn by ``faces.cartoon.render``. A scene includes its heads' boxes and expressions, so that predictions can be scored.

>>> photo = draw_photo(seed=0, faces=3)
>>> photo.image.shape, photo.expressions
((640, 960, 3), ('fear', 'sadness', 'happiness'))

    python -m facelet.faces.cartoon.scene photo.png

A face detector trained on photos finds most of the cartoon heads, but not all.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facelet.errors import FaceletError
from facelet.faces.cartoon.person import PROTOTYPES, Floats, View, draw_people, draw_views, perform, rows
from facelet.faces.cartoon.render import render
from facelet.io.files import writing
from facelet.io.pixels import Image, cv2

MOST = 8
SKY = ((0.55, 0.75, 0.90), (0.97, 0.90, 0.80))
HILLS = ((0.62, 0.74, 0.74), (0.50, 0.67, 0.58), (0.42, 0.58, 0.40))


class Scene(NamedTuple):
    """A photo, uint8 (H, W, 3) RGB; boxes of its heads, int64 (n, 4) as x, y, width, height in pixels; and their expressions."""

    image: Image
    boxes: NDArray[np.int64]
    expressions: tuple[str, ...]


def draw_photo(seed: int = 0, faces: int = 3, height: int = 640, expressions: Sequence[str] = ()) -> Scene:
    """Draws people in a row, from the left, with the given ``expressions`` or random ones except neutral.

    Raises FaceletError for other than 1 to 8 faces, a height outside 240 to 4000 pixels or an unknown expression.
    """
    faces = len(expressions) or faces
    if not 1 <= faces <= MOST or not 240 <= height <= 4000:
        raise FaceletError(f"a toy photo has 1 to {MOST} faces and 240 to 4000 rows, not {faces} and {height}")
    rng = np.random.default_rng([seed, 2])
    lively = [name for name in PROTOTYPES if name != "neutral"]
    drawn = [lively[number] for number in rng.permutation(len(lively)).tolist() * 2]
    expression = perform(expressions or drawn[:faces])
    person, view = draw_people(faces, rng), _plain(draw_views(faces, rng))
    nothing = np.zeros(faces, np.float32)
    view = view._replace(x=nothing, y=nothing, light=nothing + 1, light_x=nothing, light_y=nothing)
    slot = height // 2
    canvas = _landscape(slot * max(faces, 2), height, rng)
    margin = 2 * height
    canvas = np.pad(canvas, ((margin, margin), (margin, margin), (0, 0)), mode="edge")
    heads = height * rng.uniform(0.31, 0.36, faces)
    across = (np.arange(faces) + 0.5 * max(2 / faces, 1) + rng.uniform(-0.06, 0.06, faces)) * slot
    down = height * rng.uniform(0.52, 0.62, faces)
    for number in range(faces):
        # The tile ends below the photo, so that the shoulders reach its bottom edge.
        side = 2 * int(height - down[number] + 4)
        x, y = int(across[number]) + margin - side // 2, int(down[number]) + margin - side // 2
        tile = canvas[y : y + side, x : x + side]
        row = slice(number, number + 1)
        near = rows(view, row)._replace(zoom=np.array([side / heads[number]], np.float32))
        tile[:] = render(rows(person, row), rows(expression, row), near, side, 3, behind=tile[None])[0]
    image = canvas[margin:-margin, margin:-margin]
    wide = heads * person.width
    boxes = np.stack([across - wide / 2, down - heads / 2, wide, heads], axis=1)
    return Scene(_eight_bits(image), np.rint(boxes).astype(np.int64), tuple(expressions or drawn[:faces]))


def portraits(expressions: Sequence[str], seed: int = 0, size: int = 160, strength: float = 1.0) -> Image:
    """A portrait without occlusion for each of the named expressions, uint8 (N, size, size, 3), each of a different person."""
    rng = np.random.default_rng([seed, 3])
    n = len(expressions)
    person, view = draw_people(n, rng), _plain(draw_views(n, rng, variety=0.5))
    return _eight_bits(render(person, perform(expressions, strength), view, size, 3))


def _plain(view: View) -> View:
    """The view without occlusion."""
    return view._replace(cover_x=np.full_like(view.cover_x, 9))


def _landscape(width: int, height: int, rng: np.random.Generator) -> Floats:
    """Sky, sun and three rows of hills, (height, width, 3) in [0, 1]."""
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    x = np.linspace(0, width / height, width, dtype=np.float32)[None, :, None]
    above, below = np.array(SKY, np.float32)
    picture = above + y * (below - above) + 0 * x
    sun = (x - rng.uniform(0.1, 0.9) * width / height) ** 2 + (y - 0.16) ** 2
    picture += np.clip((0.0049 - sun) * height * 5 + 0.5, 0, 1) * (np.array([1, 0.96, 0.82], np.float32) - picture)
    for number, colour in enumerate(np.array(HILLS, np.float32)):
        bends = rng.uniform(1.5, 4, 2)
        phases = rng.uniform(0, 6.28, 2)
        waves = 0.05 * np.sin(bends[0] * x + phases[0]) + 0.03 * np.sin(2 * bends[1] * x + phases[1])
        ridge = 0.48 + 0.13 * number + waves
        picture += np.clip((y - ridge) * height + 0.5, 0, 1) * (colour * (1.06 - 0.2 * y) - picture)
    return picture.astype(np.float32)


def _eight_bits(picture: Floats) -> Image:
    return (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)


def save_photo(path: str | Path, seed: int = 0, faces: int = 4) -> None:
    """Writes the image of ``draw_photo`` as PNG."""
    encoded, data = cv2.imencode(".png", draw_photo(seed, faces).image[..., ::-1])
    if not encoded:
        raise FaceletError(f"cannot write {path}: OpenCV cannot encode PNG")
    with writing(path) as beside:
        beside.write_bytes(data.tobytes())


if __name__ == "__main__":
    save_photo(sys.argv[1])
