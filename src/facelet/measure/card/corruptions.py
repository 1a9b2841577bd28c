"""Image corruptions of face crops, each at several strengths from mild to severe.

>>> [str(level) for level in levels(side=48)][:2]
['blur, 1 % of the side', 'blur, 2 % of the side']
>>> worse = levels(side=48)[0].change(images)  # uint8 (N, H, W, C) to the same shape

Every corruption is deterministic, and the result for a face does not depend on the faces after it. A corrupted crop is easier than
a photo taken under such conditions: the face is already detected and framed, and corruptions are not combined.
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
"""Standard deviation of the Gaussian, as a share of the image's side."""
STOPS = (2, 4, 6)
"""Exposure stops: each halves the light."""
GAMMA = 2.2
NOISE = 0.005
"""Standard deviation of the sensor noise, as a share of white in linear light; independent of the exposure."""
TURNS = (10, 20, 30)
"""Rotation angles in degrees."""
COVERS = {"eyes": (0.28, 0.5), "mouth and chin": (0.6, 1.0)}
"""Top and bottom of a grey band over the whole width, as shares of the side: the place of dark glasses or a mask."""
GREY = 128
SIDES = (32, 24, 16)
"""Sides of the face in the photo, in pixels."""
QUALITIES = (50, 20, 10)
"""JPEG qualities."""


@dataclass(frozen=True)
class Level:
    """A corruption at one strength.

    Attributes:
        condition, strength: for display, such as "blur" and "2 % of the side".
        change: function from uint8 (N, H, W, C) to corrupted images of the same shape.
    """

    condition: str
    strength: str
    change: Callable[[Images], Images]

    def __str__(self) -> str:
        return f"{self.condition}, {self.strength}"


def levels(side: int, channels: int = 1) -> tuple[Level, ...]:
    """Returns all corruptions, mild to severe, for faces of ``side`` pixels; small faces only where smaller than ``side``.

    ``channels``: of the model's input; faces are made grey for 3 only.
    """
    return (
        *(Level("blur", f"{100 * share:g} % of the side", partial(blurred, share=share)) for share in BLURS),
        *(Level("little light", f"{stops} stops less", partial(darkened, stops=stops)) for stops in STOPS),
        *(Level("turned", f"{degrees}°", partial(turned, degrees=degrees)) for degrees in TURNS),
        *(Level("covered", name, partial(covered, top=top, bottom=end)) for name, (top, end) in COVERS.items()),
        *(Level("small", f"{small} px", partial(shrunk, side=small)) for small in SIDES if small < side),
        *(Level("grey", "no colour", greyed) for _ in range(channels == 3)),
        *(Level("JPEG", f"quality {quality}", partial(compressed, quality=quality)) for quality in QUALITIES),
    )


def blurred(images: Images, share: float) -> Images:
    """Blurs with a Gaussian whose standard deviation is ``share`` of the side; the border is replicated."""
    sigma = share * images.shape[1]
    return _each(images, lambda image: cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE))


def darkened(images: Images, stops: float, seed: int = 0) -> Images:
    """Reduces the light to 2^-``stops`` and adds sensor noise, without brightening the image again."""
    generator = np.random.default_rng(seed)
    light = ((np.arange(256) / 255) ** GAMMA * 2.0**-stops).astype(np.float32)

    def exposed(image: Images) -> Images:
        noisy = light[image] + NOISE * generator.standard_normal(image.shape, np.float32)
        return np.rint(255 * np.clip(noisy, 0, 1) ** (1 / GAMMA)).astype(np.uint8)

    return _each(images, exposed)


def turned(images: Images, degrees: float) -> Images:
    """Rotates about the centre, alternately to the left and to the right; the border is replicated."""
    side = images.shape[1]
    middle = ((side - 1) / 2, (side - 1) / 2)
    ways = [cv2.getRotationMatrix2D(middle, way * degrees, 1.0) for way in (1, -1)]
    rotated = np.empty_like(images)
    for number, image in enumerate(images):
        turn = cv2.warpAffine(image, ways[number % 2], (side, side), borderMode=cv2.BORDER_REPLICATE)
        rotated[number] = turn.reshape(image.shape)
    return rotated


def covered(images: Images, top: float, bottom: float) -> Images:
    """Covers the face with a grey band from ``top`` to ``bottom``, given as shares of the side."""
    side, occluded = images.shape[1], images.copy()
    occluded[:, round(top * side) : round(bottom * side)] = GREY
    return occluded


def shrunk(images: Images, side: int) -> Images:
    """Resizes to ``side`` pixels and back, as for a small face in a photo."""
    return _each(images, lambda image: pixels.resize(pixels.resize(image, side), image.shape[0]))


def greyed(images: Images) -> Images:
    """Replaces the three channels of RGB images by their luminance; grey images stay as they are."""
    if images.shape[3] == 1:
        return images
    return _each(images, lambda image: cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB))


def compressed(images: Images, quality: int) -> Images:
    """Compresses as JPEG of the given quality, at the crop's own size."""

    def through(image: Images) -> Images:
        data = cv2.imencode(".jpg", image[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, quality))[1]
        flag = cv2.IMREAD_COLOR_RGB if image.shape[2] == 3 else cv2.IMREAD_GRAYSCALE
        return cv2.imdecode(data, flag)

    return _each(images, through)


def _each(images: Images, change: Callable[[Images], Images]) -> Images:
    """Applies ``change`` to every image and restores the channel axis, which OpenCV drops for grey images."""
    changed = np.empty_like(images)
    for number, image in enumerate(images):
        changed[number] = change(image).reshape(image.shape)
    return changed
