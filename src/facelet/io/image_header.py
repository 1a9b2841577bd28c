"""Parses an image's header: format, size, orientation and whether the file is complete, without decoding pixels.

Specifications of the formats: ITU T.81 (JPEG), W3C PNG, RFC 9649 (WebP), GIF89a, TIFF 6.0, BMP, Netpbm, ISO 23008-12 (AVIF).
``pixels.decode`` checks the header first because a decoder allocates memory for a 30-gigapixel PNG of 40 kB before it fails, and
because OpenCV fills the missing part of a truncated JPEG with grey without an error.

>>> parse(Path("photo.jpg").read_bytes())
ImageHeader(format='JPEG', width=910, height=1137, orientation=1, alpha=False, whole=True)

``whole`` only means that the end of the container is present; damage in the middle is not detected.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from struct import error as StructError
from struct import unpack_from

HEIC = (b"heic", b"heix", b"hevc", b"mif1", b"msf1")
UNSUPPORTED = {**dict.fromkeys(HEIC, "HEIC"), b"jxl ": "JPEG XL", b"jp2 ": "JPEG 2000"}
# AVIF's own quarter turns (anticlockwise) and mirror axis, as EXIF orientations.
ORIENTATION, WIDTH, HEIGHT, EXTRA_SAMPLES = 274, 256, 257, 338
STRIPS, TILES = (273, 279), (324, 325)
MAX_STRIPS = 1 << 18
TURNS = {(0, 1): 2, (2, None): 3, (0, 0): 4, (1, 0): 5, (3, None): 6, (3, 0): 7, (1, None): 8}


@dataclass(frozen=True)
class ImageHeader:
    """Properties of an image file.

    Attributes:
        format: name of the format, as "JPEG".
        width: in pixels, as stored (before ``orientation``); 0 when unknown.
        height: as ``width``.
        orientation: EXIF 1-8, 1 is upright.
        alpha: whether it may have transparent pixels.
        whole: whether the end of the file is present.
    """

    format: str
    width: int = 0
    height: int = 0
    orientation: int = 1
    alpha: bool = False
    whole: bool = True


def parse(data: bytes) -> ImageHeader | None:
    """The header of an image file; None when its format is not in ``READERS`` or its header is incomplete."""
    for magic, reader in READERS.items():
        if data.startswith(magic):
            try:
                return reader(data)
            except (StructError, IndexError, ValueError):
                return None
    return None


def unsupported(data: bytes) -> str | None:
    """The name of a well-known image format that Facelet does not read, or None."""
    if data.startswith(b"\xff\x0a"):
        return "JPEG XL"
    if data.startswith((b"II\x2b\0", b"MM\0\x2b")):
        return "BigTIFF"
    return UNSUPPORTED.get(data[8:12] if data[4:8] == b"ftyp" else data[4:8].lower())


def _jpeg(data: bytes) -> ImageHeader | None:
    at, width, height, orientation = 2, 0, 0, 1
    while True:
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:
            at += 2
            continue
        (length,) = unpack_from(">H", data, at + 2)
        if marker in (0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF):
            height, width = unpack_from(">HH", data, at + 5)
        elif marker == 0xE1 and data[at + 4 : at + 10] == b"Exif\0\0":
            orientation = _exif_orientation(data[at + 10 : at + 2 + length])
        elif marker in (0xDA, 0xD9):
            # Inside the scans 0xFF is always stuffed, so the first FFD9 is the end of the image; later bytes are ignored.
            return ImageHeader("JPEG", width, height, orientation, whole=data.find(b"\xff\xd9", at) >= 0)
        at += 2 + length


def _png(data: bytes) -> ImageHeader | None:
    if data[12:16] != b"IHDR":
        return None
    width, height, _, colour = unpack_from(">IIBB", data, 16)
    alpha, orientation, whole, at = colour in (4, 6), 1, False, 8
    while at + 12 <= len(data):
        (length,) = unpack_from(">I", data, at)
        kind, end = data[at + 4 : at + 8], at + 12 + length
        if kind == b"tRNS":
            alpha = True
        elif kind == b"eXIf":
            orientation = _exif_orientation(data[at + 8 : end - 4])
        elif kind == b"IEND":
            whole = True
            break
        at = end
    return ImageHeader("PNG", width, height, orientation, alpha, whole)


def _webp(data: bytes) -> ImageHeader | None:
    if data[8:12] != b"WEBP":
        return None
    (size,) = unpack_from("<I", data, 4)
    whole, kind, orientation = len(data) >= size + 8, data[12:16], 1
    if kind == b"VP8X":
        width = 1 + int.from_bytes(data[24:27], "little")
        height = 1 + int.from_bytes(data[27:30], "little")
        at = 12
        while at + 8 <= len(data):
            (length,) = unpack_from("<I", data, at + 4)
            if data[at : at + 4] == b"EXIF":
                exif = data[at + 8 : at + 8 + length]
                orientation = _exif_orientation(exif.removeprefix(b"Exif\0\0"))
            at += 8 + length + length % 2
        return ImageHeader("WebP", width, height, orientation, bool(data[20] & 0x10), whole)
    if kind == b"VP8L":
        (bits,) = unpack_from("<I", data, 21)
        return ImageHeader("WebP", 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF), 1, bool(bits >> 28 & 1), whole)
    if kind == b"VP8 ":
        width, height = unpack_from("<HH", data, 26)
        return ImageHeader("WebP", width & 0x3FFF, height & 0x3FFF, whole=whole)
    return None


def _bmp(data: bytes) -> ImageHeader:
    offset, header_size = unpack_from("<II", data, 10)
    if header_size == 12:
        width, height, _, bits = unpack_from("<HHHH", data, 18)
        compression = 0
    else:
        width, height, _, bits, compression = unpack_from("<iiHHI", data, 18)
    width, height = abs(width), abs(height)
    expected = offset + (width * bits + 31) // 32 * 4 * height if compression in (0, 3) else 0
    # The fourth byte of a 32-bit BMP is alpha for a few writers and padding (0) for most: it is ignored.
    return ImageHeader("BMP", width, height, whole=len(data) >= expected)


def _gif(data: bytes) -> ImageHeader:
    width, height, flags = unpack_from("<HHB", data, 6)
    at, whole = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0), False
    while at < len(data) and data[at] in (0x21, 0x2C):
        picture = data[at] == 0x2C
        if picture:
            local = data[at + 9]
            at += 11 + (3 << (local & 7) + 1 if local & 0x80 else 0)
        else:
            at += 2
        while data[at : at + 1] not in (b"\0", b""):
            at += 1 + data[at]
        if picture:
            whole = at < len(data)
            break
        at += 1
    return ImageHeader("GIF", width, height, alpha=True, whole=whole)


def _tiff(data: bytes) -> ImageHeader:
    try:
        tags = dict(_ifd(data, (WIDTH, HEIGHT, EXTRA_SAMPLES, *STRIPS, *TILES), MAX_STRIPS))
    except StructError:  # the directory usually follows the pixels
        return ImageHeader("TIFF", whole=False)
    starts, sizes = (tags.get(strips) or tags.get(tiles) or () for strips, tiles in zip(STRIPS, TILES, strict=True))
    whole = bool(starts) and max(map(sum, zip(starts, sizes, strict=False)), default=0) <= len(data)
    alpha = any(extra in (1, 2) for extra in tags.get(EXTRA_SAMPLES, ()))
    width, height = (tags.get(tag, (0,))[0] for tag in (WIDTH, HEIGHT))
    # Orientation stays 1: OpenCV always turns a TIFF upright, whatever the flags (4.12 and 5.0).
    return ImageHeader("TIFF", width, height, alpha=alpha, whole=whole)


def _pnm(data: bytes) -> ImageHeader | None:
    # Comments run to the end of their line and may stand between any two numbers.
    gap = rb"(?:\s|#[^\n]*\n)+"
    deep = data[1:2] not in b"14"
    numbers = [rb"(\d{1,9})", rb"(\d{1,9})", *([rb"(\d{1,5})"] if deep else [])]
    match = re.match(rb"P[1-6]" + b"".join(gap + number for number in numbers) + rb"\s", data[:4096])
    if not match:
        return None
    width, height, top = int(match[1]), int(match[2]), int(match[3]) if deep else 1
    samples = width * (3 if data[1:2] in b"36" else 1)
    if data[1:2] in b"123":
        need = samples * height
    elif deep:
        need = samples * height * (2 if top > 255 else 1)
    else:
        need = (width + 7) // 8 * height
    return ImageHeader("PNM", width, height, whole=len(data) - match.end() >= need)


def _isobmff(data: bytes) -> ImageHeader | None:
    if data[4:8] != b"ftyp" or data[8:12] not in (b"avif", b"avis"):
        return None
    # Every item, including grid tiles and the alpha plane, has its own size box; the image is the largest.
    head = data[: 1 << 16]
    sizes = [unpack_from(">II", head, match.end() + 4) for match in re.finditer(rb"ispe", head)]
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    turn, mirror = head.find(b"irot"), head.find(b"imir")
    quarters, axis = (head[turn + 4] & 3 if turn >= 0 else 0), (head[mirror + 4] & 1 if mirror >= 0 else None)
    at = 0
    while at + 8 <= len(data):
        (length,) = unpack_from(">I", data, at)
        if length < 8:
            break  # 0 means "to the end of the file"; 1, a 64-bit length, is for videos
        at += length
    return ImageHeader("AVIF", width, height, TURNS.get((quarters, axis), 1), alpha=True, whole=at <= len(data))


def _ifd(data: bytes, wanted: Collection[int], longest: int) -> Iterator[tuple[int, tuple[int, ...]]]:
    """The ``wanted`` integer tags of a TIFF's or EXIF block's first directory, each once, with up to ``longest`` values."""
    order = "<" if data[:2] == b"II" else ">"
    if data[:4] not in (b"II\x2a\0", b"MM\0\x2a"):
        return
    (at,) = unpack_from(order + "I", data, 4)
    (count,) = unpack_from(order + "H", data, at)
    left = set(wanted)
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        tag, kind, length = unpack_from(order + "HHI", data, entry)
        if tag not in left or kind not in (3, 4) or not 0 < length <= longest:
            continue
        left.discard(tag)
        width = 2 if kind == 3 else 4
        (where,) = (entry + 8,) if length * width <= 4 else unpack_from(order + "I", data, entry + 8)
        yield tag, unpack_from(f"{order}{length}{'H' if kind == 3 else 'I'}", data, where)


def _exif_orientation(exif: bytes) -> int:
    """Orientation 1-8; 1 when EXIF is missing or damaged, since such a photo is still readable."""
    try:
        orientation = next((values[0] for _, values in _ifd(exif, (ORIENTATION,), 1)), 1)
    except StructError:
        return 1
    return orientation if 1 <= orientation <= 8 else 1


READERS: dict[bytes, Callable[[bytes], ImageHeader | None]] = {
    b"\xff\xd8\xff": _jpeg,
    b"\x89PNG\r\n\x1a\n": _png,
    b"RIFF": _webp,
    b"BM": _bmp,
    b"GIF8": _gif,
    b"II\x2a\0": _tiff,
    b"MM\0\x2a": _tiff,
    **{b"P%d" % kind: _pnm for kind in range(1, 7)},
    b"\0\0\0": _isobmff,
}
