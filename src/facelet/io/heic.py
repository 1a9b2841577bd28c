"""HEIC and HEIF photos, which phones take, by pillow-heif where the extra `heic` has installed it.

>>> decode(Path("phone.heic").read_bytes()).shape
(3024, 4032, 3)

OpenCV reads no HEIC. libheif, which pillow-heif brings, turns a photo upright itself.
"""

from __future__ import annotations

from importlib.util import find_spec
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facelet.errors import FaceletError
from facelet.installation import install_command

EXTRA = "heic"
SUFFIXES = (".heic", ".heif", ".hif")


def installed() -> bool:
    return find_spec("pillow_heif") is not None


def how_to_read() -> str:
    """What to type so that HEIC is read."""
    return f"to read HEIC: {install_command(EXTRA)}"


def decode(data: bytes, name: str, most_pixels: int) -> NDArray[np.uint8]:
    """RGB, or RGBA where it may be transparent, uint8 (H, W, 3 or 4), upright.

    Raises FaceletError, beginning with ``name``, for more than ``most_pixels`` and for what libheif cannot read.
    """
    import pillow_heif

    opened: Any
    try:
        opened = pillow_heif.open_heif(BytesIO(data))
        width, height = opened.size
        if width * height > most_pixels:
            raise FaceletError(
                f"{name}: {width} x {height} pixels are more than the {most_pixels // 10**6} million that Facelet reads"
            )
        picture = opened.to_pillow()
    except FaceletError:
        raise
    except Exception as error:  # pillow-heif passes on errors of several classes
        raise FaceletError(f"{name}: the HEIC file is damaged, or of a rare kind ({error})") from None
    return np.asarray(picture.convert("RGBA" if "A" in picture.getbands() else "RGB"))
