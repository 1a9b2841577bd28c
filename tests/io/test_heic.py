"""HEIC photos, made by pillow-heif: pixels, transparency, damage, and what to type without it."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from facelet.errors import FaceletError
from facelet.io import heic, pixels


@pytest.fixture
def photo():
    """Bytes of a HEIC file, red above and blue below; ``photo("RGBA")``: its right half transparent."""
    pillow_heif = pytest.importorskip("pillow_heif")

    def make(mode: str = "RGB", size: int = 64) -> bytes:
        image = np.zeros((size, size, len(mode)), np.uint8)
        image[: size // 2, :, 0] = image[size // 2 :, :, 2] = 200
        if mode == "RGBA":
            image[:, : size // 2, 3] = 255
        out = BytesIO()
        pillow_heif.from_pillow(Image.fromarray(image)).save(out, quality=95)
        return out.getvalue()

    return make


def test_it_is_read_in_colour_and_upright(photo):
    image = pixels.decode(photo())
    assert (image.shape, image.dtype) == ((64, 64, 3), np.uint8)
    np.testing.assert_allclose(image[:28].mean(axis=(0, 1)), (200, 0, 0), atol=12)
    np.testing.assert_allclose(image[36:].mean(axis=(0, 1)), (0, 0, 200), atol=12)


def test_what_is_transparent_is_white(photo):
    image = pixels.decode(photo("RGBA"))
    np.testing.assert_allclose(image[:28, :28].mean(axis=(0, 1)), (200, 0, 0), atol=12)
    np.testing.assert_allclose(image[:, 40:].mean(axis=(0, 1)), 255, atol=6)


def test_damage_and_size(photo):
    with pytest.raises(FaceletError, match=r"^a.heic: the HEIC file is damaged or of an unsupported kind"):
        pixels.decode(photo()[:200], "a.heic")
    with pytest.raises(FaceletError, match=r"^a.heic has 64 x 64 pixels, more than"):
        pixels.decode(photo(), "a.heic", limit=1000)


def test_without_the_extra_the_error_says_what_to_type(monkeypatch):
    monkeypatch.setattr(heic, "installed", lambda: False)
    with pytest.raises(FaceletError, match=r"HEIC support is not installed; to read HEIC: pip install '.*\[heic\]'"):
        pixels.decode(b"\0\0\0\x18ftypheic" + b"\0" * 40)
