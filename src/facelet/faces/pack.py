"""A pack: a FaceSet in one file, losslessly compressed or raw, with its labels, votes, groups and protocol.

>>> write_pack(load("ferplus:ferplus.zip"), "ferplus.pack")
>>> load("pack:ferplus.pack").protocol.source
'ferplus'

The file is a zip (its checksums find damage) of ``pack.json``, one ``.npy`` per array, and the faces: either strips of faces one below
the other as lossless WebP, or, raw, one ``images.npy`` that is mapped into memory instead of read. Lossless WebP takes about 0.7 of
the bytes of grey noise-laden faces; it is slow to write (half a millisecond a face) and quick to read.
"""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

import cv2
import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from facelet.errors import FaceletError
from facelet.faces.archive import existing, open_zip, read_member
from facelet.faces.faceset import PER_FACE, FaceSet
from facelet.faces.sources import SOURCES
from facelet.files import writing

HEADER = "pack.json"
RAW = "images.npy"
DTYPES = {"labels": "<i8", "splits": "|i1", "votes": "<f4", "identities": "<i8", "groups": "<i8", "agreement": "<f4"}
STRIP_PIXELS = 1 << 20
WEBP_SIDE = 16383
CHECKED_RAW = 1 << 30
BOMB_TOTAL, BOMB_RATIO = 1 << 30, 500


class Header(BaseModel):
    """``pack.json``. ``webp`` is the number of faces in a strip, 0 when the faces are raw; ``protocol`` is the protocol's hash."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    facelet_pack: int = 1
    count: int = Field(ge=0)
    height: int = Field(ge=1, le=1 << 16)
    width: int = Field(ge=1, le=1 << 16)
    channels: int = Field(ge=1, le=3)
    webp: int = Field(ge=0)
    arrays: tuple[str, ...]
    source: str
    rule: str
    classes: tuple[str, ...]
    notes: tuple[str, ...]
    licence: str
    protocol: str


def write_pack(faces: FaceSet, path: str | Path, raw: bool = False) -> int:
    """Writes ``faces`` to one file and returns its size in bytes. ``raw`` keeps the pixels as they are, to be memory-mapped.

    Raises FaceletError when the disk is full or a face is too large for WebP (16,383 px).
    """
    count, height, width, channels = faces.images.shape
    per_strip = 0 if raw else max(1, min(WEBP_SIDE, STRIP_PIXELS // width) // height)
    if not raw and max(height, width) > WEBP_SIDE:
        raise FaceletError(f"faces of {width} x {height} px are too large for WebP; write the pack raw")
    header = Header(
        count=count,
        height=height,
        width=width,
        channels=channels,
        webp=per_strip,
        arrays=tuple(name for name in PER_FACE if name in DTYPES and getattr(faces, name) is not None),
        source=faces.source,
        rule=faces.rule,
        classes=faces.classes,
        notes=faces.notes,
        licence=faces.licence,
        protocol=faces.protocol.hash,
    )
    with writing(path) as beside:
        with zipfile.ZipFile(beside, "w", zipfile.ZIP_STORED) as packed:
            _add(packed, HEADER, header.model_dump_json(indent=1).encode(), deflate=True)
            _add(packed, "names.json", json.dumps(faces.names.tolist()).encode(), deflate=True)
            for name in header.arrays:
                array = io.BytesIO()
                npy.write_array(array, np.ascontiguousarray(getattr(faces, name), DTYPES[name]), allow_pickle=False)
                _add(packed, f"{name}.npy", array.getvalue(), deflate=True)
            if raw:
                with packed.open(zipfile.ZipInfo(RAW), "w", force_zip64=True) as file:
                    _write_raw(file, faces.images)
            else:
                with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as threads:
                    strips = (faces.images[start : start + per_strip] for start in range(0, count, per_strip))
                    for number, data in enumerate(threads.map(_compressed, strips)):
                        _add(packed, _strip_name(number), data)
        return beside.stat().st_size


@SOURCES.register("pack")
def pack(path: str, *, size: int | None = None, channels: int | None = None) -> FaceSet:
    """A FaceSet as ``write_pack`` wrote it, under the name and protocol of the source it came from.

    Raw faces stay on disk and are mapped into memory; their checksum is compared only up to 1 GiB of them. Raises FaceletError when
    the file is not a pack or is damaged.
    """
    place = existing(path)
    if place.is_dir():
        raise FaceletError(f"{path} is a folder; a pack is one file, made by `facelet faces SOURCE --pack FILE`")
    with open_zip(place) as packed:
        header = _header(packed, place)
        arrays: dict[str, Any] = {name: _array(packed, place, name, header) for name in header.arrays}
        images = _strips(packed, place, header) if header.webp else _mapped(packed, place, header)
        try:
            names = json.loads(read_member(packed, "names.json"))
            arrays["names"] = np.array(names, str) if names else np.empty(0, "U1")
        except (ValueError, TypeError, RecursionError) as error:
            raise _damaged(place, f"names.json: {error}") from error
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise _damaged(place, "names.json should be a list of strings")
    faces = FaceSet(
        images=images,
        classes=header.classes,
        source=header.source,
        rule=header.rule,
        notes=header.notes,
        licence=header.licence,
        **arrays,
    )
    if faces.protocol.hash != header.protocol:
        raise _damaged(place, f"its protocol is {faces.protocol.hash}, not {header.protocol}")
    return faces


def _add(packed: zipfile.ZipFile, name: str, data: bytes, deflate: bool = False) -> None:
    """ZipInfo's fixed date makes equal faces give equal files."""
    packed.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED if deflate else zipfile.ZIP_STORED)


def _write_raw(file: IO[bytes], images: NDArray[np.uint8]) -> None:
    npy.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": images.shape})
    rows = max(1, (1 << 24) // max(1, int(np.prod(images.shape[1:]))))
    for start in range(0, len(images), rows):
        file.write(np.ascontiguousarray(images[start : start + rows]).tobytes())


def _strip_name(number: int) -> str:
    return f"faces/{number:06d}.webp"


def _compressed(faces: NDArray[np.uint8]) -> bytes:
    """(n, H, W, C) as one lossless WebP, (n * H, W). WebP knows no grey, but equal channels cost it next to nothing."""
    strip = np.asarray(faces).reshape(-1, *faces.shape[2:])
    colour = np.repeat(strip, 3, axis=2) if strip.shape[2] == 1 else strip[..., ::-1]
    done, data = cv2.imencode(".webp", np.ascontiguousarray(colour), [cv2.IMWRITE_WEBP_QUALITY, 101])
    if not done:
        raise FaceletError("this OpenCV cannot write WebP; write the pack raw")
    return data.tobytes()


def _header(packed: zipfile.ZipFile, place: Path) -> Header:
    if HEADER not in packed.namelist():
        raise FaceletError(f"{place} is not a pack; packs are made by `facelet faces SOURCE --pack FILE`")
    try:
        header = Header.model_validate_json(read_member(packed, HEADER))
    except ValidationError as error:
        first = error.errors()[0]
        raise _damaged(place, f"{HEADER}, {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    if header.facelet_pack != 1:
        raise FaceletError(
            f"{place} is a pack of format {header.facelet_pack}; this Facelet reads format 1: upgrade Facelet"
        )
    if not {"labels", "splits"} <= set(header.arrays) <= set(DTYPES):
        raise _damaged(place, f"{HEADER} lists the arrays {', '.join(header.arrays)}")
    total, real = header.count * header.height * header.width * header.channels, place.stat().st_size
    if total > BOMB_TOTAL and total > BOMB_RATIO * real:
        raise FaceletError(f"{place} is {real:,} bytes but claims to hold {total:,} of pixels: refused as a bomb")
    return header


def _array(packed: zipfile.ZipFile, place: Path, name: str, header: Header) -> NDArray[Any]:
    """One array, whose header is compared with what is expected before anything is allocated."""
    shape = (header.count, len(header.classes)) if name == "votes" else (header.count,)
    data = read_member(packed, f"{name}.npy")
    _expect(io.BytesIO(data), np.dtype(DTYPES[name]), shape, len(data), place, name)
    return np.frombuffer(data, DTYPES[name], offset=len(data) - _bytes(shape, DTYPES[name])).reshape(shape).copy()


def _expect(file: IO[bytes], dtype: np.dtype[Any], shape: tuple[int, ...], length: int, place: Path, name: str) -> int:
    """Reads a ``.npy`` header and returns its length. Raises FaceletError unless it says ``dtype`` and ``shape`` and fits ``length``."""
    start = file.tell()
    try:
        version = npy.read_magic(file)
        found = npy.read_array_header_1_0(file) if version == (1, 0) else None
    except ValueError as error:
        raise _damaged(place, f"{name}.npy: {error}") from error
    used = file.tell() - start
    if found != (shape, False, dtype) or length - used != _bytes(shape, dtype):
        raise _damaged(place, f"{name}.npy should hold {dtype} {shape}")
    return used


def _bytes(shape: tuple[int, ...], dtype: Any) -> int:
    total = np.dtype(dtype).itemsize
    for side in shape:
        total *= side
    return total


def _strips(packed: zipfile.ZipFile, place: Path, header: Header) -> NDArray[np.uint8]:
    images = np.empty((header.count, header.height, header.width, header.channels), np.uint8)

    def fill(number: int) -> None:
        rows = images[number * header.webp : (number + 1) * header.webp]
        data = strips[number]
        if _webp_shape(data) != (len(rows) * header.height, header.width):
            raise _damaged(place, f"{_strip_name(number)} is not a strip of {len(rows)} faces")
        strip = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
        if strip is None:
            raise _damaged(place, _strip_name(number))
        rows[:] = strip[..., : header.channels].reshape(rows.shape)

    total = -(-header.count // header.webp)
    if total > len(packed.namelist()):
        raise _damaged(place, f"{total:,} strips are announced, {len(packed.namelist()):,} files are there")
    strips = [read_member(packed, _strip_name(number)) for number in range(total)]
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as threads:
        list(threads.map(fill, range(total)))
    return images


def _webp_shape(data: bytes) -> tuple[int, int]:
    """Height and width from a lossless WebP's own header, so that a false one is found before its pixels are allocated."""
    if len(data) < 25 or data[:4] != b"RIFF" or data[8:16] != b"WEBPVP8L" or data[20] != 0x2F:
        return 0, 0
    (bits,) = struct.unpack("<I", data[21:25])
    return (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1


def _mapped(packed: zipfile.ZipFile, place: Path, header: Header) -> NDArray[np.uint8]:
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
        raise _damaged(place, str(error)) from error


def _damaged(place: Path, why: str) -> FaceletError:
    return FaceletError(f"{place} is damaged ({why}); write the pack again with `facelet faces SOURCE --pack FILE`")
