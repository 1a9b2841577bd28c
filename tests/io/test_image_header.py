from __future__ import annotations

import struct
import tracemalloc

import pytest

from facelet.io import image_header
from facelet.io.image_header import ImageHeader


def test_tags_that_overlap_take_no_memory():
    count, length = 2000, 5900
    entries = b"".join(struct.pack("<HHII", 1000 + number, 4, length, 8) for number in range(count))
    tiff = struct.pack("<4sIH", b"II\x2a\0", 8, count) + entries
    for data in (tiff, b"\xff\xd8\xff\xe1" + struct.pack(">H", 8 + len(tiff)) + b"Exif\0\0" + tiff):
        tracemalloc.start()
        image_header.parse(data)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
        tracemalloc.stop()


@pytest.mark.parametrize("size", [12, 13])
def test_a_header_between_comments(size):
    data = b"P5 # grey\n4\n# rows\n 3 255\n" + bytes(size)
    assert image_header.parse(data) == ImageHeader("PNM", 4, 3)
    assert not image_header.parse(data[: -size + 11]).whole


def test_bits_and_deep_samples_need_as_many_bytes_as_they_have():
    assert image_header.parse(b"P4 9 2\n" + bytes(4)).whole
    assert not image_header.parse(b"P4 9 2\n" + bytes(3)).whole
    assert not image_header.parse(b"P6 2 2 65535\n" + bytes(23)).whole


def test_a_png_has_alpha_by_its_colours_or_by_a_chunk():
    for colour, chunks, alpha in (
        (2, b"", False),
        (6, b"", True),
        (3, struct.pack(">I", 0) + b"tRNS" + bytes(4), True),
    ):
        head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBB", 13, b"IHDR", 7, 5, 8, colour, 0, 0, 0) + bytes(4)
        end = struct.pack(">I", 0) + b"IEND" + bytes(4)
        assert image_header.parse(head + chunks + end) == ImageHeader("PNG", 7, 5, alpha=alpha)
        assert not image_header.parse(head + chunks).whole


def test_formats_that_are_known_but_not_read():
    assert image_header.unsupported(b"\0\0\0\x18ftypheic") == "HEIC"
    assert image_header.unsupported(b"\xff\x0a") == "JPEG XL"
    assert image_header.unsupported(b"II\x2b\0") == "BigTIFF"
    assert image_header.unsupported(b"%PDF-1.7 and more") is None
    assert image_header.parse(b"%PDF-1.7 and more") is None
