"""Image decoding, orientation, colour conversion and resizing, shared by training and runtime.

>>> photo = read("photo.jpg")          # RGB uint8 (H, W, 3), upright, transparent pixels on white
>>> resize(to_channels(photo, 1), 48)  # uint8 (48, 48, 1)

16-bit images are reduced to their upper 8 bits, only the first frame of an animation is read, and colour profiles are not applied.
HEIC needs the extra `heic`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facelet.errors import FaceletError, TooManyPixelsError
from facelet.io import heic, image_header
from facelet.io.files import read_bytes

MAX_PIXELS = 200_000_000
MAX_BYTES = 512 * 2**20
FORMATS = "JPEG, PNG, WebP, BMP, GIF, TIFF, PNM or AVIF"
PNM = (".ppm", ".pgm", ".pbm", ".pnm")
SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".dib", ".gif", ".tif", ".tiff", ".avif", *PNM)
"""File name suffixes of these formats, used to search folders."""
# OpenCV reads both only while it is imported, so they cannot be set later or for one call.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_PIXELS))
os.environ.setdefault("OPENCV_LOG_LEVEL", "FATAL")  # decode reports a broken file itself, in one line
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # quiet: its messages have addresses of cameras, with passwords

import cv2 as opencv  # noqa: E402

cv2: Any = opencv  # its stubs type every result as an array of any number type

Image = NDArray[np.uint8]

# EXIF orientation -> (whether to transpose first, then flip code for cv2.flip or None).
_UPRIGHT = {2: (False, 1), 3: (False, -1), 4: (False, 0), 5: (True, None), 6: (True, 1), 7: (True, -1), 8: (True, 0)}


def decode(data: bytes, name: str = "image", limit: int = MAX_PIXELS) -> Image:
    """Decodes an image to RGB uint8 (H, W, 3), upright by its EXIF orientation, with transparent pixels on white.

    Raises FaceletError, beginning with ``name``, when the data is empty, not an image or cut short, and TooManyPixelsError when
    it has more than ``limit`` pixels, at most MAX_PIXELS.
    """
    if not data:
        raise FaceletError(f"{name}: the file is empty")
    header = image_header.parse(data)
    if header is None:
        other = image_header.unsupported(data)
        if other == "HEIC" and heic.installed():
            photo = heic.decode(data, name, limit)
            return photo if photo.shape[2] == 3 else _on_white(cv2.cvtColor(photo, cv2.COLOR_RGBA2BGRA), False)
        if other == "HEIC":
            raise FaceletError(f"{name}: HEIC support is not installed; {heic.how_to_read()}")
        hint = f"{other} is not supported; convert it first" if other else "not a readable image"
        raise FaceletError(f"{name}: {hint} (expected {FORMATS})")
    if header.width * header.height > limit:
        raise TooManyPixelsError(name, header.width, header.height, limit)
    if not header.whole:
        raise FaceletError(f"{name}: the {header.format} file is cut short; copy or download it again")
    image = _decode(data, header)
    if image is None:
        raise FaceletError(f"{name}: the {header.format} file is damaged, or of a kind that OpenCV does not support")
    return _upright(image, header.orientation)


def read(path: str | Path) -> Image:
    """Reads and decodes an image file. Raises FaceletError as ``decode``, and when it is no file or larger than MAX_BYTES."""
    return decode(read_bytes(path, MAX_BYTES), str(path))


def of_array(array: Any, what: str, expected: str = "uint8 of (height, width, 1) or (height, width, 3)") -> Image:
    """Converts an array of (H, W) or (H, W, C) to uint8 (H, W, C). Raises FaceletError, naming ``what``, for anything else."""
    if hasattr(array, "read"):
        raise FaceletError(
            f"{what} is an open file ({type(array).__name__}); expected {expected}; pass its bytes: open it as binary and .read()"
        )
    try:
        image = np.asarray(array)
    except ValueError:  # lists of unequal lengths
        image = np.empty(0, object)
    if not image.ndim or image.dtype.kind not in "biuf":
        raise FaceletError(f"{what} is of type {type(array).__name__}; expected {expected}")
    if image.ndim == 2:
        image = image[:, :, None]
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] not in (1, 3) or not image.size:
        raise FaceletError(f"{what} is {image.dtype} {image.shape}; expected {expected}")
    return image


def to_channels(image: Image, channels: int) -> Image:
    """Converts (H, W, 1 or 3) to (H, W, ``channels``); grey is ITU-R BT.601 luma."""
    if image.shape[2] == channels:
        return image
    if channels == 1:
        return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[:, :, None]
    return np.repeat(image, channels, axis=2)


def resize(image: Image, size: int) -> Image:
    """Resizes (H, W, C) to (size, size, C) by area averaging when shrinking, bilinearly when growing ("area-linear")."""
    if image.shape[:2] == (size, size):
        return image
    kernel = cv2.INTER_AREA if min(image.shape[:2]) > size else cv2.INTER_LINEAR
    return cv2.resize(image, (size, size), interpolation=kernel).reshape(size, size, image.shape[2])


def reframed(image: Image, before: float, after: float) -> Image:
    """Changes the margin of a square face crop (S, S, C) from ``before`` to ``after``, both as shares of the face's box.

    A smaller margin takes the centre; a larger one repeats the edge pixels, as in a crop that reaches past the photo's border.
    """
    side = len(image)
    more = max(1, round(side * (1 + 2 * after) / (1 + 2 * before))) - side
    low, high = more // 2, more - more // 2
    if more <= 0:
        return image[-low : side + high, -low : side + high]
    grown = cv2.copyMakeBorder(image, low, high, low, high, cv2.BORDER_REPLICATE)
    return grown.reshape(side + more, side + more, image.shape[2])


def fitted(images: Image, size: int, channels: int, before: float = 0.0, after: float = 0.0) -> Image:
    """Converts squares (N, S, S, C) to (N, size, size, channels), ``reframed`` first if ``before`` and ``after`` differ."""
    if (size, channels, after) == (*images.shape[2:], before):
        return images
    resized = np.empty((len(images), size, size, channels), np.uint8)
    for number, image in enumerate(images):
        framed = image if after == before else reframed(image, before, after)
        resized[number] = resize(to_channels(framed, channels), size)
    return resized


def _decode(data: bytes, header: image_header.ImageHeader) -> Image | None:
    """RGB as stored, or None on failure. ``_upright`` turns it: OpenCV's own turning differs between formats and versions."""
    buffer = np.frombuffer(data, np.uint8)
    try:
        if header.alpha:
            image = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
            if image is not None and image.ndim == 3 and image.shape[2] == 4 and image.dtype in (np.uint8, np.uint16):
                return _on_white(image, premultiplied=header.format == "TIFF" and image.dtype == np.uint8)
        return cv2.imdecode(buffer, cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        return None


def _on_white(bgra: NDArray, premultiplied: bool) -> Image:
    """Blends (H, W, 4) BGRA of 8 or 16 bits on white: 255 - (255 - colour) * alpha, without wide temporaries.

    libtiff premultiplies the colours of an 8-bit TIFF by alpha: then it is colour + 255 - alpha.
    """
    if bgra.dtype == np.uint16:
        bgra = (bgra >> 8).astype(np.uint8)
    rgb = cv2.cvtColor(bgra, cv2.COLOR_BGRA2RGB)
    alpha = cv2.cvtColor(np.ascontiguousarray(bgra[:, :, 3]), cv2.COLOR_GRAY2RGB)
    if premultiplied:
        return cv2.add(rgb, cv2.bitwise_not(alpha))
    return cv2.bitwise_not(cv2.multiply(cv2.bitwise_not(rgb), alpha, scale=1 / 255))


def _upright(image: Image, orientation: int) -> Image:
    if orientation == 1:
        return image
    transpose, flip = _UPRIGHT[orientation]
    if transpose:
        image = cv2.transpose(image)
    return image if flip is None else cv2.flip(image, flip)
