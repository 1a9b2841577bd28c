"""Reads a pack as the FaceSet it was written from, with the protocol of the original source.

>>> load("pack:ferplus.pack").protocol.source
'ferplus'

A pack may be hostile: every size in it is compared with the size of the file before memory is allocated. The checksum of a raw pack
also covers its pixels, but is only verified up to 1 GiB, because a larger pack is mapped to avoid reading it whole.
"""

from __future__ import annotations

import io
import json
import os
import struct
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

import cv2
import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray
from pydantic import ValidationError

from facelet.errors import FaceletError
from facelet.faces.faceset import FaceSet
from facelet.faces.loading import SOURCES
from facelet.faces.reading.archive import open_zip, read_member
from facelet.faces.reading.images import without_names
from facelet.faces.sources.pack_writer import DTYPES, HEADER, NAMES, RAW, PackHeader, strip_name
from facelet.io.files import existing

CHECKED_RAW = 1 << 30
BOMB_TOTAL, BOMB_RATIO = 1 << 30, 500
MAX_NAME = 4096


@SOURCES.register("pack")
def pack(path: str, *, size: int | None = None, channels: int | None = None) -> FaceSet:
    """The FaceSet of a pack, with the name and protocol of its original source.

    Raw faces are memory-mapped; their checksum is only verified up to 1 GiB. ``size`` and ``channels`` are applied by ``load``.
    Raises FaceletError when the file is not a pack or is damaged.
    """
    place = existing(path)
    if place.is_dir():
        raise FaceletError(f"{path} is a folder; a pack is one file, made by `facelet faces SOURCE --pack FILE`")
    with open_zip(place, _damaged) as packed:
        header = _header(packed, place)
        arrays: dict[str, Any] = {name: _array(packed, place, name, header) for name in header.arrays}
        images = _strips(packed, place, header) if header.webp else _mapped(packed, place, header)
        names = _names(packed, place, header.count)
    faces = FaceSet(
        images=images,
        names=names,
        classes=header.classes,
        source=header.source,
        rule=header.rule,
        notes=tuple(without_names(note) for note in header.notes),
        licence=header.licence,
        margin=header.margin,
        **arrays,
    )
    if not faces.protocol.has_hash(header.protocol):
        raise _damaged(place, f"its protocol is {faces.protocol.hash}, not {header.protocol}")
    return faces


def _names(packed: zipfile.ZipFile, place: Path, count: int) -> NDArray[np.str_]:
    try:
        names = json.loads(_member(packed, place, NAMES))
        whole = isinstance(names, list) and len(names) == count and all(isinstance(name, str) for name in names)
        if not whole or max(map(len, names), default=0) > MAX_NAME:
            raise ValueError(f"expected {count} names")
        "\n".join(names).encode()
    except (ValueError, RecursionError) as error:
        raise _damaged(place, f"{NAMES}: {error}") from None
    _no_bomb(place, 4 * count * max(map(len, names), default=0), "names")
    return np.array(names, dtype=str) if names else np.empty(0, "U1")


def _header(packed: zipfile.ZipFile, place: Path) -> PackHeader:
    if HEADER not in packed.namelist():
        raise FaceletError(f"{place} is not a pack; packs are made by `facelet faces SOURCE --pack FILE`")
    try:
        header = PackHeader.model_validate_json(_member(packed, place, HEADER))
    except ValidationError as error:
        first = error.errors()[0]
        raise _damaged(place, f"{HEADER}, {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    if header.facelet_pack != 1:
        raise FaceletError(
            f"{place} is a pack of format {header.facelet_pack}; this version of Facelet reads format 1: upgrade Facelet"
        )
    if not {"labels", "splits"} <= set(header.arrays) <= set(DTYPES):
        raise _damaged(place, f"{HEADER} lists the arrays {', '.join(header.arrays)}")
    _no_bomb(place, header.count * header.height * header.width * header.channels, "pixels")
    return header


def _array(packed: zipfile.ZipFile, place: Path, name: str, header: PackHeader) -> NDArray[Any]:
    """One array; its header is checked before memory is allocated."""
    shape = (header.count, len(header.classes)) if name == "votes" else (header.count,)
    data = _member(packed, place, f"{name}.npy")
    _expect(io.BytesIO(data), np.dtype(DTYPES[name]), shape, len(data), place, name)
    return np.frombuffer(data, DTYPES[name], offset=len(data) - _bytes(shape, DTYPES[name])).reshape(shape).copy()


def _expect(file: IO[bytes], dtype: np.dtype[Any], shape: tuple[int, ...], length: int, place: Path, name: str) -> int:
    """Reads a ``.npy`` header and returns its length.

    Raises FaceletError unless it has ``dtype`` and ``shape`` and the array has ``length`` bytes including the header.
    """
    start = file.tell()
    try:
        version = npy.read_magic(file)
        header = npy.read_array_header_1_0(file) if version == (1, 0) else None
    except ValueError as error:
        raise _damaged(place, f"{name}.npy: {error}") from None
    used = file.tell() - start
    if header != (shape, False, dtype) or length - used != _bytes(shape, dtype):
        raise _damaged(place, f"{name}.npy should hold {dtype} {shape}")
    return used


def _bytes(shape: tuple[int, ...], dtype: Any) -> int:
    total = np.dtype(dtype).itemsize
    for side in shape:
        total *= side
    return total


def _strips(packed: zipfile.ZipFile, place: Path, header: PackHeader) -> NDArray[np.uint8]:
    images = np.empty((header.count, header.height, header.width, header.channels), np.uint8)
    reading = threading.Lock()

    def fill(number: int) -> None:
        rows = images[number * header.webp : (number + 1) * header.webp]
        with reading:
            data = _member(packed, place, strip_name(number))
        if _webp_shape(data) != (len(rows) * header.height, header.width):
            raise _damaged(place, f"{strip_name(number)} is not a strip of {len(rows)} faces")
        strip = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
        if strip is None:
            raise _damaged(place, strip_name(number))
        rows[:] = strip[..., : header.channels].reshape(rows.shape)

    total = -(-header.count // header.webp)
    if total > len(packed.namelist()):
        raise _damaged(place, f"expected {total:,} strips, it has {len(packed.namelist()):,} files")
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as threads:
        list(threads.map(fill, range(total)))
    return images


def _webp_shape(data: bytes) -> tuple[int, int]:
    """Height and width in a lossless WebP's header, to detect a wrong size before its pixels are allocated."""
    if len(data) < 25 or data[:4] != b"RIFF" or data[8:16] != b"WEBPVP8L" or data[20] != 0x2F:
        return 0, 0
    (bits,) = struct.unpack("<I", data[21:25])
    return (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1


def _mapped(packed: zipfile.ZipFile, place: Path, header: PackHeader) -> NDArray[np.uint8]:
    shape = (header.count, header.height, header.width, header.channels)
    if RAW not in packed.namelist():
        raise _damaged(place, f"{RAW} is missing")
    info = packed.getinfo(RAW)
    if info.compress_type != zipfile.ZIP_STORED:
        raise _damaged(place, f"{RAW} is compressed")
    with place.open("rb") as file:
        file.seek(info.header_offset)
        local = file.read(30)
        if len(local) < 30 or local[:4] != b"PK\x03\x04":
            raise _damaged(place, f"{RAW} is not where the table of contents says")
        name_length, extra_length = struct.unpack("<HH", local[26:30])
        file.seek(name_length + extra_length, os.SEEK_CUR)
        offset = file.tell() + _expect(file, np.dtype("|u1"), shape, info.file_size, place, "images")
    if offset + _bytes(shape, np.uint8) > place.stat().st_size:
        raise _damaged(place, "it is cut short")
    if info.file_size <= CHECKED_RAW:
        _compare_checksum(packed, place)
    if not header.count:
        return np.empty(shape, np.uint8)
    return np.memmap(place, np.uint8, "r", offset, shape)


def _compare_checksum(packed: zipfile.ZipFile, place: Path) -> None:
    try:
        with packed.open(RAW) as file:
            while file.read(1 << 24):
                pass
    except (zipfile.BadZipFile, OSError, EOFError, RuntimeError, NotImplementedError) as error:
        raise _damaged(place, str(error)) from None


def _member(packed: zipfile.ZipFile, place: Path, name: str) -> bytes:
    try:
        return read_member(packed, name)
    except FaceletError as error:
        raise _damaged(place, str(error).removeprefix(f"{place}: ")) from None


def _no_bomb(place: Path, total: int, what: str) -> None:
    real = place.stat().st_size
    if total > BOMB_TOTAL and total > BOMB_RATIO * real:
        raise FaceletError(f"{place} is {real:,} bytes but claims to hold {total:,} of {what}: refused as a bomb")


def _damaged(place: Path, why: object) -> FaceletError:
    return FaceletError(f"{place} is damaged ({why}); write the pack again with `facelet faces SOURCE --pack FILE`")
