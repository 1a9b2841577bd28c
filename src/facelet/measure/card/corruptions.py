"""Conditions: what makes a finished crop of a face hard to read, each at a few strengths, from mild to severe.

>>> [str(level) for level in levels(side=48)][:2]
['blur, 1 % of the side', 'blur, 2 % of the side']
>>> worse = levels(side=48)[0].change(images)  # uint8 (N, H, W, C) to the same shape

Every change gives the same pixels each time, and a face's does not depend on how many follow it. A crop made worse is kinder than
a photo taken in such conditions: the detector has found and framed the face already, and no two troubles come together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from facelet.io import pixels
from facelet.io.pixels import cv2

Images = NDArray[np.uint8]

BLURS = (0.01, 0.02, 0.04)
"""Standard deviation of a Gaussian, as a share of the side."""
STOPS = (2, 4, 6)
"""Halvings of the light."""
GAMMA = 2.2
NOISE = 0.005
"""A sensor's own noise, as a share of white in linear light; it stays when the light goes."""
TURNS = (10, 20, 30)
"""Degrees."""
COVERS = {"eyes": (0.28, 0.5), "mouth and chin": (0.6, 1.0)}
"""Top and bottom of a grey band over the whole width, as shares of the side: where dark glasses or a mask would be."""
GREY = 128
SIDES = (32, 24, 16)
"""Pixels that the photo has of the face."""
QUALITIES = (50, 20, 10)
"""Of JPEG."""


@dataclass(frozen=True)
class Level:
    """A condition at one strength.

    Attributes:
        condition, strength: as they are told, "blur" and "2 % of the side".
        change: uint8 (N, H, W, C) to what it makes of them, of the same shape.
    """

    condition: str
    strength: str
    change: Callable[[Images], Images]

    def __str__(self) -> str:
        return f"{self.condition}, {self.strength}"


def levels(side: int) -> tuple[Level, ...]:
    """All conditions, each from mild to severe, for a model that sees faces of ``side`` pixels: of smallness what is less."""
    return (
        *(Level("blur", f"{100 * share:g} % of the side", partial(blurred, share=share)) for share in BLURS),
        *(Level("little light", f"{stops} stops less", partial(darkened, stops=stops)) for stops in STOPS),
        *(Level("turned", f"{degrees}°", partial(turned, degrees=degrees)) for degrees in TURNS),
        *(Level("covered", name, partial(covered, top=top, bottom=end)) for name, (top, end) in COVERS.items()),
        *(Level("small", f"{small} px", partial(shrunk, side=small)) for small in SIDES if small < side),
        *(Level("JPEG", f"quality {quality}", partial(compressed, quality=quality)) for quality in QUALITIES),
    )


def blurred(images: Images, share: float) -> Images:
    """By a Gaussian with a standard deviation of ``share`` of the side; the edge is repeated."""
    sigma = share * images.shape[1]
    return _each(images, lambda image: cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE))


def darkened(images: Images, stops: float, seed: int = 0) -> Images:
    """With 2^-``stops`` of the light, taken by a sensor with noise of its own, and not brightened up again."""
    generator = np.random.default_rng(seed)
    light = ((np.arange(256) / 255) ** GAMMA * 2.0**-stops).astype(np.float32)

    def taken(image: Images) -> Images:
        seen = light[image] + NOISE * generator.standard_normal(image.shape, np.float32)
        return np.rint(255 * np.clip(seen, 0, 1) ** (1 / GAMMA)).astype(np.uint8)

    return _each(images, taken)


def turned(images: Images, degrees: float) -> Images:
    """About the middle, every other face to the left and the others to the right; the edge is repeated."""
    side = images.shape[1]
    middle = ((side - 1) / 2, (side - 1) / 2)
    ways = [cv2.getRotationMatrix2D(middle, way * degrees, 1.0) for way in (1, -1)]
    made = np.empty_like(images)
    for number, image in enumerate(images):
        turn = cv2.warpAffine(image, ways[number % 2], (side, side), borderMode=cv2.BORDER_REPLICATE)
        made[number] = turn.reshape(image.shape)
    return made


def covered(images: Images, top: float, bottom: float) -> Images:
    """With a grey band from ``top`` to ``bottom``, shares of the side."""
    side, made = images.shape[1], images.copy()
    made[:, round(top * side) : round(bottom * side)] = GREY
    return made


def shrunk(images: Images, side: int) -> Images:
    """As faces of ``side`` pixels, grown to the size that they had: what becomes of a small face in a photo."""
    return _each(images, lambda image: pixels.resize(pixels.resize(image, side), image.shape[0]))


def compressed(images: Images, quality: int) -> Images:
    """Through a JPEG file of that quality, at the crop's own size."""

    def through(image: Images) -> Images:
        data = cv2.imencode(".jpg", image[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, quality))[1]
        flag = cv2.IMREAD_COLOR_RGB if image.shape[2] == 3 else cv2.IMREAD_GRAYSCALE
        return cv2.imdecode(data, flag)

    return _each(images, through)


def _each(images: Images, change: Callable[[Images], Images]) -> Images:
    """``change`` of every face: OpenCV leaves out a single channel, which is put back."""
    made = np.empty_like(images)
    for number, image in enumerate(images):
        made[number] = change(image).reshape(image.shape)
    return made
