"""Pixels: every common format and colour mode against Pillow, broken files, bombs, and bytes made up by hypothesis."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from facelet.errors import FaceletError, TooManyPixelsError
from facelet.io import image_header, pixels

FORMATS = {
    "jpeg": ("JPEG", {"quality": 95}),
    "progressive": ("JPEG", {"progressive": True}),
    "png": ("PNG", {}),
    "webp": ("WEBP", {"quality": 90}),
    "webp-lossless": ("WEBP", {"lossless": True}),
    "bmp": ("BMP", {}),
    "tiff": ("TIFF", {}),
    "tiff-lzw": ("TIFF", {"compression": "tiff_lzw"}),
    "gif": ("GIF", {}),
    "ppm": ("PPM", {}),
    "avif": ("AVIF", {"quality": 95}),
}


def picture(width: int = 64, height: int = 40) -> Image.Image:
    """Smooth colours, so that lossy formats change them little; no symmetry, so that a wrong turn shows."""
    y, x = np.mgrid[:height, :width]
    return Image.fromarray(np.stack([x * 255 // width, y * 255 // height, (x + y) * 2 % 256], axis=2).astype(np.uint8))


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def seen_by_pillow(data: bytes) -> np.ndarray:
    """RGB, upright, on white: Pillow's derivation of what ``decode`` promises."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    if "transparency" in image.info or image.mode in ("RGBA", "LA"):
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return np.asarray(image.convert("RGB"))


def distance(data: bytes) -> int:
    mine, theirs = pixels.decode(data), seen_by_pillow(data)
    assert mine.shape == theirs.shape
    assert mine.dtype == np.uint8
    return int(np.abs(mine.astype(int) - theirs).max())


@pytest.mark.parametrize("kind", FORMATS)
def test_formats(kind):
    name, options = FORMATS[kind]
    data = encoded(picture(), name, **options)
    assert distance(data) <= 1
    header = image_header.parse(data)
    assert (header.width, header.height, header.whole) == (64, 40, True)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [(mode, kind) for mode in ("1", "L", "P") for kind in ("PNG", "TIFF", "BMP", "GIF")]
    + [("L", "JPEG"), ("CMYK", "JPEG"), ("CMYK", "TIFF"), ("YCbCr", "JPEG"), ("L", "PPM"), ("1", "PPM"), ("L", "WEBP")],
)
def test_colour_modes(mode, kind):
    assert distance(encoded(picture().convert(mode), kind)) <= 1


@pytest.mark.parametrize(
    ("mode", "kind"), [("RGBA", "PNG"), ("LA", "PNG"), ("RGBA", "WEBP"), ("RGBA", "TIFF"), ("RGBA", "GIF")]
)
def test_transparency_is_laid_on_white(mode, kind):
    image = picture().convert(mode)
    image.putalpha(Image.fromarray(np.tile(np.arange(0, 256, 4, np.uint8), (40, 1))))
    options = {"lossless": True} if kind == "WEBP" else {}
    assert distance(encoded(image, kind, **options)) <= 2


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_a_transparent_palette_colour_is_white(kind):
    data = encoded(picture().quantize(16), kind, transparency=3)
    assert distance(data) <= 1


def test_sixteen_bits():
    deep = np.linspace(0, 65535, 64 * 40).reshape(40, 64).astype(np.uint16)
    image = pixels.decode(encoded(Image.fromarray(deep), "PNG"))
    assert image.shape == (40, 64, 3)
    assert np.abs(image[:, :, 0].astype(int) - deep / 257).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_exif_orientation(kind, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    assert distance(encoded(picture(), kind, exif=exif)) <= 1


def test_orientation_and_transparency_together():
    exif = Image.Exif()
    exif[274] = 6
    image = picture().convert("RGBA")
    image.putalpha(90)
    assert distance(encoded(image, "PNG", exif=exif)) <= 2


def test_broken_exif_is_no_reason_to_refuse_a_photo():
    exif = Image.Exif()
    exif[274] = 6
    data = encoded(picture(), "JPEG", exif=exif)
    at = data.index(b"Exif\0\0") + 6
    assert pixels.decode(data[: at + 4] + b"\xff\xff\xff\xff" + data[at + 8 :]).shape == (40, 64, 3)


@pytest.mark.parametrize("share", [0.99, 0.6, 0.2])
@pytest.mark.parametrize("kind", FORMATS)
def test_cut_short(kind, share):
    name, options = FORMATS[kind]
    data = encoded(picture(200, 120), name, **options)
    with pytest.raises(FaceletError, match=r"^holiday: .*(cut short|not a readable image)"):
        pixels.decode(data[: int(len(data) * share)], "holiday")


@pytest.mark.parametrize("kind", ["jpeg", "progressive", "png", "webp", "bmp", "gif", "ppm"])
def test_what_follows_the_end_is_ignored(kind):
    name, options = FORMATS[kind]
    assert pixels.decode(encoded(picture(), name, **options) + b"\0 a film follows").shape == (40, 64, 3)


def test_of_an_animation_the_first_frame():
    frames = [Image.new("RGB", (20, 10), colour) for colour in ("red", "blue")]
    for kind in ("GIF", "WEBP", "PNG"):
        first = pixels.decode(encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=50))
        assert first.shape == (10, 20, 3)
        assert first[..., 0].min() > 250
        assert first[..., 2].max() < 5


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_bomb(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


def test_bombs_are_refused_by_their_header():
    with pytest.raises(FaceletError, match=r"has 60000 x 60000 pixels, more than .* 200 million"):
        pixels.decode(png_bomb(60000, 60000))
    jpeg = bytearray(encoded(picture(), "JPEG"))
    at = jpeg.index(b"\xff\xc0") + 5
    jpeg[at : at + 4] = b"\xff\xff\xff\xff"
    with pytest.raises(FaceletError, match="65535 x 65535"):
        pixels.decode(bytes(jpeg))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "the file is empty"),
        (b"hello", "not a readable image"),
        (b"%PDF-1.7 " * 9, "not a readable image"),
        (b"\xff\x0a" + b"\0" * 40, "JPEG XL"),
        (b"\xff\xd8\xff", "not a readable image"),
        (b"RIFF\x10\0\0\0WAVEfmt ", "not a readable image"),
    ],
)
def test_not_an_image(data, says):
    with pytest.raises(FaceletError, match=f"^x: .*{says}"):
        pixels.decode(data, "x")


def test_read_names_the_file(tmp_path):
    with pytest.raises(FaceletError, match=r"cannot read .*none.jpg: No such file"):
        pixels.read(tmp_path / "none.jpg")
    with pytest.raises(FaceletError, match="is not a file"):
        pixels.read(tmp_path)
    with pytest.raises(FaceletError, match="is not a file"):
        pixels.read("/dev/zero")
    with pytest.raises(FaceletError, match="cannot read"):
        pixels.read("a\0b")
    (tmp_path / "a.png").write_bytes(encoded(picture(), "PNG"))
    assert pixels.read(tmp_path / "a.png").shape == (40, 64, 3)


def test_read_refuses_huge_files(tmp_path):
    with (tmp_path / "huge.jpg").open("wb") as file:
        file.truncate(pixels.MAX_BYTES + 1)
    with pytest.raises(FaceletError, match="512 MiB"):
        pixels.read(tmp_path / "huge.jpg")


@pytest.mark.slow
def test_a_hundred_megapixels():
    image = pixels.decode(encoded(Image.new("L", (12000, 8400), 200), "PNG", compress_level=1))
    assert image.shape == (8400, 12000, 3)


WHOLE = [encoded(picture(24, 16), name, **options) for name, options in FORMATS.values()]


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(list(image_header.READERS)))
def test_made_up_bytes_raise_only_our_error(body, magic):
    for data in (body, magic + body):
        with contextlib.suppress(FaceletError):
            assert pixels.decode(data).dtype == np.uint8


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(WHOLE), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=12))
def test_mutated_images_raise_only_our_error(data, changes):
    changed = bytearray(data)
    for at, value in changes:
        # Most of a file is pixels; its first bytes are where the trouble is.
        changed[at % (len(data) if at % 2 else min(len(data), 200))] = value
    try:
        image = pixels.decode(bytes(changed))
        assert image.ndim == 3
        assert image.shape[2] == 3
    except FaceletError:
        pass


def test_to_channels():
    image = np.asarray(picture())
    grey = pixels.to_channels(image, 1)
    luma = image @ np.array([0.299, 0.587, 0.114])
    assert grey.shape == (40, 64, 1)
    assert np.abs(grey[..., 0] - luma).max() <= 1
    assert (pixels.to_channels(grey, 3) == grey).all()
    assert pixels.to_channels(image, 3) is image


def test_resize_shrinks_by_area_and_grows_by_line():
    image = np.asarray(picture(96, 96))
    blocks = image.reshape(32, 3, 32, 3, 3).mean((1, 3))
    assert np.abs(pixels.resize(image, 32) - blocks).max() <= 0.5 + 1e-6
    assert pixels.resize(image[:, :, :1], 200).shape == (200, 200, 1)
    assert pixels.resize(image, 96) is image


def test_a_square_framed_closer_and_wider_again():
    image = np.random.default_rng(0).integers(0, 255, (112, 112, 3), dtype=np.uint8)
    close = pixels.reframed(image, 0, -1 / 14)
    np.testing.assert_array_equal(close, image[8:-8, 8:-8])
    back = pixels.reframed(close, -1 / 14, 0)
    assert back.shape == image.shape
    np.testing.assert_array_equal(back[8:-8, 8:-8], close)
    np.testing.assert_array_equal(back[50, :8], np.broadcast_to(back[50, 8], (8, 3)))
    assert pixels.reframed(image[:, :, :1], 0, 0.1).shape == (134, 134, 1)


def test_a_limit_of_ones_own():
    data = pixels.cv2.imencode(".png", np.zeros((20, 30, 3), np.uint8))[1].tobytes()
    assert pixels.decode(data, limit=600).shape == (20, 30, 3)
    with pytest.raises(TooManyPixelsError, match="image has 30 x 20 pixels"):
        pixels.decode(data, limit=599)
