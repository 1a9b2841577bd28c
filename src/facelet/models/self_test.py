"""The self-test of a model file: golden faces and the fp32 net's outputs on them, which travel in its metadata.

Opening a file computes the faces with this machine's runtime and compares. It catches what no bound on the weights can: a wrong
kernel, a damaged runtime, another execution provider.

>>> test = ModelInfo(...).selftest
>>> deviation(session.run(None, {"images": inputs(test, info.input)})[0], test.outputs)
0.083

Faces are small squares of few shades and are enlarged by repeating pixels, so that they take a few kB and no image library stands
between the file and the net.
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
"""Pixels a side of a golden face."""
MAX_FACES = 64
MAX_TOLERANCE = 10.0
MARGIN = 1.25
"""The tolerance of a file is this multiple of the deviation that was measured when it was made."""
LEAST_TOLERANCE = {"fp32": 1e-3, "int8": 1e-2}
"""Smallest tolerance by precision: correct kernels differ by their order of summation, and by a unit where int8 is rounded."""


class SelfTest(BaseModel):
    """What a correct runtime answers.

    ``digest`` seals the other fields, so that a damaged record is told from a wrong kernel; it is no signature.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    faces: str = Field(max_length=1 << 17, repr=False, description="uint8 (N, SIDE, SIDE, channels), zlib, base64")
    outputs: tuple[tuple[float, ...], ...] = Field(
        min_length=1, max_length=MAX_FACES, repr=False, description="of the fp32 net, before softmax; a row a face"
    )
    tolerance: Annotated[float, Field(gt=0, le=MAX_TOLERANCE)] = Field(
        description="largest deviation of a correct runtime"
    )
    digest: str = Field(max_length=64)

    def seal(self) -> str:
        """The digest that the other fields ask for."""
        text = json.dumps([self.faces, self.outputs, self.tolerance])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def make(faces: NDArray[np.uint8], outputs: ArrayLike, measured: float, precision: str) -> SelfTest:
    """A sealed self-test.

    Args:
        faces: uint8 (N, SIDE, SIDE, channels). outputs: (N, K), of the fp32 net on ``enlarged(faces, size)``.
        measured: ``deviation`` of the file when it was made. precision: "fp32" or "int8".
    """
    packed = base64.b64encode(zlib.compress(np.ascontiguousarray(faces).tobytes(), 9)).decode()
    rows = tuple(tuple(float(f"{value:.5g}") for value in row) for row in np.asarray(outputs, np.float64))
    tolerance = float(f"{min(max(MARGIN * measured, LEAST_TOLERANCE[precision]), MAX_TOLERANCE):.3g}")
    unsealed = SelfTest(faces=packed, outputs=rows, tolerance=tolerance, digest="")
    return unsealed.model_copy(update={"digest": unsealed.seal()})


def golden_faces(test: SelfTest, channels: int) -> NDArray[np.uint8]:
    """uint8 (N, SIDE, SIDE, channels). Raises ValueError for a record that is damaged, or whose seal is broken."""
    if test.digest != test.seal():
        raise ValueError("its seal is broken: faces, outputs or tolerance were changed after it was made")
    expected = len(test.outputs) * SIDE * SIDE * channels
    try:
        opener = zlib.decompressobj()
        pixels = opener.decompress(base64.b64decode(test.faces, validate=True), expected + 1)
    except (binascii.Error, zlib.error) as error:
        raise ValueError(f"its faces cannot be unpacked ({error})") from error
    if len(pixels) != expected:
        raise ValueError(f"its faces are not {len(test.outputs)} of {SIDE} x {SIDE} x {channels}")
    return np.frombuffer(pixels, np.uint8).reshape(-1, SIDE, SIDE, channels)


def enlarged(faces: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Faces at (N, size, size, channels), pixels repeated or left out: the same bytes on every machine."""
    places = np.arange(size) * faces.shape[1] // size
    return np.ascontiguousarray(faces[:, places][:, :, places])


def deviation(outputs: ArrayLike, reference: ArrayLike | Sequence[Sequence[float]]) -> float:
    """Root mean square difference, as a share of the reference's standard deviation; infinity where shapes differ or an output
    is not a number.
    """
    ours, theirs = np.asarray(outputs, np.float64), np.asarray(reference, np.float64)
    if ours.shape != theirs.shape or not np.isfinite(ours).all():
        return float("inf")
    return float(np.sqrt(np.square(ours - theirs).mean()) / max(float(theirs.std()), 1e-12))
