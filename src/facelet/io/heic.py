"""Decodes HEIC and HEIF photos with pillow-heif (the extra `heic`).

>>> decode(Path("phone.heic").read_bytes(), "phone.heic", most_pixels=200_000_000).shape
(3024, 4032, 3)

OpenCV does not read HEIC. libheif, which pillow-heif contains, already turns photos upright.
"""

from __future__ import annotations

from importlib.util import find_spec
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facelet.errors import FaceletError, TooManyPixelsError
from facelet.installation import install_command

EXTRA = "heic"
SUFFIXES = (".heic", ".heif", ".hif")


def installed() -> bool:
    """Whether pillow-heif is installed."""
    return find_spec("pillow_heif") is not None


def how_to_read() -> str:
    """Hint with the command that installs HEIC support."""
    return f"to read HEIC: {install_command(EXTRA)}"


def decode(data: bytes, name: str, most_pixels: int) -> NDArray[np.uint8]:
    """Decodes a photo to upright RGB, or RGBA when it has an alpha channel: uint8 (H, W, 3 or 4).

    Raises FaceletError, beginning with ``name``, for data that libheif cannot read, and TooManyPixelsError for more than
    ``most_pixels`` pixels.
    """
    import pillow_heif

    opened: Any
    try:
        opened = pillow_heif.open_heif(BytesIO(data))
        width, height = opened.size
        if width * height > most_pixels:
            raise TooManyPixelsError(name, width, height, most_pixels)
        picture = opened.to_pillow()
    except FaceletError:
        raise
    except Exception as error:  # pillow-heif raises several classes
        raise FaceletError(f"{name}: the HEIC file is damaged or of an unsupported kind ({error})") from None
    return np.asarray(picture.convert("RGBA" if "A" in picture.getbands() else "RGB"))
