from __future__ import annotations

import struct
import tracemalloc

from facelet.io import image_header


def test_tags_that_overlap_take_no_memory():
    count, length = 2000, 5900
    entries = b"".join(struct.pack("<HHII", 1000 + number, 4, length, 8) for number in range(count))
    tiff = struct.pack("<4sIH", b"II\x2a\0", 8, count) + entries
    for data in (tiff, b"\xff\xd8\xff\xe1" + struct.pack(">H", 8 + len(tiff)) + b"Exif\0\0" + tiff):
        tracemalloc.start()
        image_header.parse(data)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
        tracemalloc.stop()
