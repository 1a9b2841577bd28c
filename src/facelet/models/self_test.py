"""The self-test of a model file: golden faces and the fp32 net's outputs on them, stored in its metadata.

Opening a file runs the faces through this machine's runtime and compares the outputs. This catches faults that the check of the
weights cannot: a wrong kernel, a damaged runtime, another execution provider.

>>> test = ModelInfo(...).selftest
>>> deviation(session.run(None, {"images": inputs(test, info.input)})[0], test.outputs)
0.083

Faces are small squares of few shades, enlarged by repeating pixels: they take a few kB and need no image library.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import zlib
from collections.abc import Sequence
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field

SIDE = 24
"""Side of a golden face, in pixels."""
MAX_FACES = 64
MAX_TOLERANCE = 10.0
MARGIN = 1.25
"""A file's tolerance is this multiple of the deviation measured at export."""
LEAST_TOLERANCE = {"fp32": 1e-3, "int8": 1e-2}
"""Smallest tolerance by precision: correct kernels differ in their order of summation and in int8 rounding by one unit."""


class SelfTest(BaseModel):
    """Golden faces and the outputs of a correct runtime.

    ``digest`` is a checksum of the other fields that separates a damaged record from a wrong kernel; it is not a signature.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    faces: str = Field(max_length=1 << 17, repr=False, description="uint8 (N, SIDE, SIDE, channels), zlib, base64")
    outputs: tuple[tuple[float, ...], ...] = Field(
        min_length=1, max_length=MAX_FACES, repr=False, description="logits of the fp32 net, one row per face"
    )
    tolerance: Annotated[float, Field(gt=0, le=MAX_TOLERANCE)] = Field(
        description="largest deviation of a correct runtime"
    )
    digest: str = Field(max_length=64)

    def seal(self) -> str:
        """The correct digest of the other fields."""
        text = json.dumps([self.faces, self.outputs, self.tolerance])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def make(faces: NDArray[np.uint8], outputs: ArrayLike, measured: float, precision: str) -> SelfTest:
    """A self-test with its digest.

    Args:
        faces: uint8 (N, SIDE, SIDE, channels).
        outputs: (N, K), outputs of the fp32 net on ``enlarged(faces, size)``.
        measured: ``deviation`` of the file at export.
        precision: "fp32" or "int8".
    """
    packed = base64.b64encode(zlib.compress(np.ascontiguousarray(faces).tobytes(), 9)).decode()
    rows = tuple(tuple(float(f"{value:.5g}") for value in row) for row in np.asarray(outputs, np.float64))
    tolerance = float(f"{min(max(MARGIN * measured, LEAST_TOLERANCE[precision]), MAX_TOLERANCE):.3g}")
    unsealed = SelfTest(faces=packed, outputs=rows, tolerance=tolerance, digest="")
    return unsealed.model_copy(update={"digest": unsealed.seal()})


def golden_faces(test: SelfTest, channels: int) -> NDArray[np.uint8]:
    """The faces, uint8 (N, SIDE, SIDE, channels). Raises ValueError for a damaged record or a wrong digest."""
    if test.digest != test.seal():
        raise ValueError("wrong digest: faces, outputs or tolerance were changed after it was made")
    expected = len(test.outputs) * SIDE * SIDE * channels
    try:
        opener = zlib.decompressobj()
        pixels = opener.decompress(base64.b64decode(test.faces, validate=True), expected + 1)
    except (binascii.Error, zlib.error) as error:
        raise ValueError(f"its faces cannot be unpacked ({error})") from error
    if len(pixels) != expected:
        raise ValueError(f"expected {len(test.outputs)} faces of {SIDE} x {SIDE} x {channels}")
    return np.frombuffer(pixels, np.uint8).reshape(-1, SIDE, SIDE, channels)


def enlarged(faces: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Faces resized to (N, size, size, channels) by nearest pixel: the same bytes on every machine."""
    places = np.arange(size) * faces.shape[1] // size
    return np.ascontiguousarray(faces[:, places][:, :, places])


def deviation(outputs: ArrayLike, reference: ArrayLike | Sequence[Sequence[float]]) -> float:
    """Root mean square difference divided by the reference's standard deviation.

    Infinity when the shapes differ or an output is not finite.
    """
    values, expected = np.asarray(outputs, np.float64), np.asarray(reference, np.float64)
    if values.shape != expected.shape or not np.isfinite(values).all():
        return float("inf")
    return float(np.sqrt(np.square(values - expected).mean()) / max(float(expected.std()), 1e-12))
