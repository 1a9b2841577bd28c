"""Pixels: decode safely, change colour, resize. The one place where training and runtime treat an image the same way."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facelet.errors import FaceletError

MAX_PIXELS = 200_000_000
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_PIXELS))

import cv2  # noqa: E402  (reads the limit above when it is loaded)

Image = NDArray[np.uint8]


def decode(data: bytes, name: str = "image") -> Image:
    """RGB uint8 (H, W, 3), upright by its EXIF orientation. Raises FaceletError for what is not a whole image."""
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB) if data else None
    except cv2.error as error:
        raise FaceletError(f"{name}: not a readable image ({error.err})") from error
    if image is None:
        raise FaceletError(f"{name}: not a readable image" if data else f"{name}: the file is empty")
    return image


def read(path: str | Path) -> Image:
    """``decode`` of a file."""
    try:
        return decode(Path(path).read_bytes(), str(path))
    except OSError as error:
        raise FaceletError(f"cannot read {path}: {error.strerror}") from error


def to_channels(image: Image, channels: int) -> Image:
    """(H, W, 1 or 3) to (H, W, ``channels``); grey is ITU-R BT.601 luma."""
    if image.shape[2] == channels:
        return image
    if channels == 1:
        return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[:, :, None]
    return np.repeat(image, channels, axis=2)


def resize(image: Image, size: int) -> Image:
    """(H, W, C) to (size, size, C): area averaging when shrinking, bilinear when growing. Kernel name: "area-linear"."""
    if image.shape[:2] == (size, size):
        return image
    kernel = cv2.INTER_AREA if min(image.shape[:2]) > size else cv2.INTER_LINEAR
    return cv2.resize(image, (size, size), interpolation=kernel).reshape(size, size, image.shape[2])
