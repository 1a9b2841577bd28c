"""Packs: a FaceSet in one file, losslessly compressed or raw, with its labels, votes, groups and protocol.

>>> write_pack(load("ferplus:ferplus.zip"), "ferplus.pack")
>>> load("pack:ferplus.pack").protocol.source
'ferplus'

The file is a zip (with checksums) of ``pack.json``, one ``.npy`` per array, and the faces: either vertical strips of faces as
lossless WebP, or, raw, one memory-mapped ``images.npy``. Lossless WebP takes about 0.7 of the bytes of noisy grey faces; it is slow
to write (half a millisecond per face) and fast to read.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import cv2
import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from facelet.errors import FaceletError
from facelet.faces.faceset import PER_FACE, FaceSet
from facelet.io.files import writing

HEADER, NAMES = "pack.json", "names.json"
RAW = "images.npy"
DTYPES = {
    "labels": "<i8",
    "splits": "|i1",
    "votes": "<f4",
    "identities": "<i8",
    "groups": "<i8",
    "agreement": "<f4",
    "synthetic": "|b1",
}
STRIP_PIXELS = 1 << 20
WEBP_SIDE = 16383


class PackHeader(BaseModel):
    """Contents of ``pack.json``. ``webp`` is the number of faces in a strip, 0 for a raw pack; ``protocol`` is a hash."""

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
    margin: float = Field(0.0, ge=-0.5, le=2.0)
    protocol: str


def write_pack(faces: FaceSet, path: str | Path, raw: bool = False) -> int:
    """Writes ``faces`` to one file and returns its size in bytes. ``raw`` stores uncompressed pixels for memory mapping.

    Raises FaceletError when the disk is full or a face is too large for WebP (16,383 px).
    """
    count, height, width, channels = faces.images.shape
    per_strip = 0 if raw else max(1, min(WEBP_SIDE, STRIP_PIXELS // width) // height)
    if not raw and max(height, width) > WEBP_SIDE:
        raise FaceletError(f"faces of {width} x {height} px are too large for WebP; write the pack raw")
    header = PackHeader(
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
        margin=faces.margin,
        protocol=faces.protocol.hash,
    )
    with writing(path) as beside:
        with zipfile.ZipFile(beside, "w", zipfile.ZIP_STORED) as packed:
            _add(packed, HEADER, header.model_dump_json(indent=1).encode(), deflate=True)
            _add(packed, NAMES, json.dumps(faces.names.tolist()).encode(), deflate=True)
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
                        _add(packed, strip_name(number), data)
        return beside.stat().st_size


def _add(packed: zipfile.ZipFile, name: str, data: bytes, deflate: bool = False) -> None:
    """Adds a member with ZipInfo's fixed date, so that equal faces give equal files."""
    packed.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED if deflate else zipfile.ZIP_STORED)


def _write_raw(file: IO[bytes], images: NDArray[np.uint8]) -> None:
    npy.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": images.shape})
    rows = max(1, (1 << 24) // max(1, int(np.prod(images.shape[1:]))))
    for start in range(0, len(images), rows):
        file.write(np.ascontiguousarray(images[start : start + rows]).tobytes())


def strip_name(number: int) -> str:
    """Name of a strip in the zip."""
    return f"faces/{number:06d}.webp"


def _compressed(faces: NDArray[np.uint8]) -> bytes:
    """(n, H, W, C) as one lossless WebP of (n * H, W). WebP has no grey format, but equal channels cost almost nothing."""
    strip = np.asarray(faces).reshape(-1, *faces.shape[2:])
    colour = np.repeat(strip, 3, axis=2) if strip.shape[2] == 1 else strip[..., ::-1]
    encoded, data = cv2.imencode(".webp", np.ascontiguousarray(colour), [cv2.IMWRITE_WEBP_QUALITY, 101])
    if not encoded:
        raise FaceletError("this OpenCV cannot write WebP; write the pack raw")
    return data.tobytes()
