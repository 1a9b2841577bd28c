"""The parity gate: an export must give, on the golden faces, the outputs of the net that the file was made from.

>>> verdict = check(target.open(path, info), source, info)
>>> print(verdict)
8 golden faces: deviation 2.1e-07 from the fp32 net, allowed 0.001; 2e-07 from ONNX Runtime

Golden faces, reference outputs and tolerance are those of the file's self-test, so an export is held to what a machine is held to
that opens the file itself. A file without a self-test is compared with ONNX Runtime.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facelet.deploy.target import Run, reason
from facelet.errors import FaceletError
from facelet.faces.cartoon.golden import golden_faces as drawn_faces
from facelet.models import self_test
from facelet.models.model_file import ModelInfo
from facelet.models.session import open_session, self_test_feed


@dataclass(frozen=True)
class Verdict:
    """What the gate measured: deviations as in ``self_test.deviation``.

    Attributes:
        faces: number of golden faces.
        deviation: of the export from the fp32 net.
        tolerance: largest accepted deviation.
        from_onnx: deviation of the export from ONNX Runtime with the same model file.
    """

    faces: int
    deviation: float
    tolerance: float
    from_onnx: float

    @property
    def passed(self) -> bool:
        """Whether the deviation is within the tolerance; NaN is not."""
        return self.deviation <= self.tolerance

    def __str__(self) -> str:
        return (
            f"{self.faces} golden faces: deviation {self.deviation:.2g} from the fp32 net, allowed {self.tolerance:.2g}; "
            f"{self.from_onnx:.2g} from ONNX Runtime"
        )


def check(run: Run, source: Path, info: ModelInfo) -> Verdict:
    """Compares an open export with the model file that it was made from.

    Raises FaceletError when the export fails on a face, and as ``open_session`` does for a model file that fails here itself.
    """
    session = open_session(source, 1)
    if info.selftest:
        faces = self_test.golden_faces(info.selftest, info.input.channels)
    else:
        faces = drawn_faces(info.input.channels)
    feed = self_test_feed(faces, info)
    expected = np.asarray(session.run(None, feed)[0], np.float32)
    outputs = run_all(run, feed[info.input.name])
    from_onnx = self_test.deviation(outputs, expected)
    if info.selftest is None:
        return Verdict(len(faces), from_onnx, self_test.LEAST_TOLERANCE[info.precision], from_onnx)
    moved = self_test.deviation(outputs, info.selftest.outputs)
    return Verdict(len(faces), moved, info.selftest.tolerance, from_onnx)


def run_all(run: Run, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Outputs (N, K) of an open export for prepared faces (N, C, H, W). Raises FaceletError when it fails on one."""
    try:
        rows = [np.asarray(run(face[None]), np.float32).reshape(1, -1) for face in inputs]
        return np.concatenate(rows)
    except FaceletError:
        raise
    except Exception as error:  # each runtime raises its own classes
        raise FaceletError(f"the exported model fails on a face: {reason(error)}") from error
