"""Self-tests of model files on this machine, against the outputs stored in the file.

>>> check("expression")
Check(name='expression', ..., deviation=0.084, tolerance=0.105, verdict='ok')
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import onnxruntime

from facelet import cpu
from facelet.errors import FaceletError
from facelet.models import bundled, model_file, saturation
from facelet.models.model_file import ModelInfo
from facelet.models.session import open_session, self_test, unproven_models_allowed

OK, NO_TEST = "ok", "no self-test"


@dataclass(frozen=True)
class Check:
    """Result of checking one model file.

    Attributes:
        precision: from the file's metadata.
        target: from the file's metadata.
        pair: largest sum of two weights that a kernel may add, see ``saturation.worst_pair``; 0 for fp32.
        deviation: of the outputs for the golden faces from the fp32 net's, as a fraction of their standard deviation;
            None without a self-test.
        tolerance: largest allowed deviation, measured when the file was made; None without a self-test.
        ms: milliseconds for opening the file and the self-test.
        verdict: OK, NO_TEST, or the problem.
    """

    name: str
    path: str
    precision: str
    target: str
    pair: int
    deviation: float | None
    tolerance: float | None
    ms: float
    verdict: str

    @property
    def works(self) -> bool:
        return self.verdict in (OK, NO_TEST)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def check(model: str | Path) -> Check:
    """Opens a model file, even if it fails here, and runs its self-test.

    Raises FaceletError if the file is missing, damaged or not a Facelet model.
    """
    path = Path(model)
    info, data, start = model_file.read(path), model_file.content(path), time.perf_counter()
    with unproven_models_allowed():
        session = open_session(path, 1)
    deviation = self_test(session, info, path) if info.selftest else None
    spent, pair = time.perf_counter() - start, saturation.worst_pair(data)
    limit = info.selftest.tolerance if info.selftest else None
    if pair > saturation.LARGEST_PAIR and saturation.kernels_saturate():
        verdict = "saturates here"
    elif deviation is None or limit is None:
        verdict = NO_TEST
    else:
        verdict = OK if deviation <= limit else "fails its self-test"
    entry = bundled.entry_of(path)
    name = entry.name if entry else info.name or path.stem
    return Check(name, str(path), info.precision, info.target, pair, deviation, limit, 1000 * spent, verdict)


def check_bundled() -> list[Check]:
    """Checks every bundled model; if a model cannot be opened, the verdict is the error."""
    checks = []
    for model in bundled.models():
        try:
            checks.append(check(bundled.path_of(model.name)))
        except FaceletError as error:
            checks.append(Check(model.name, model.file, "", "", 0, None, None, 0.0, str(error)))
    return checks


def runs_on(info: ModelInfo, data: bytes) -> str:
    """Describes the processors on which the model is exact: whether its int8 sums can saturate."""
    if info.precision != "int8":
        return "every processor: fp32"
    risks = saturation.risks(data)
    if not risks:
        pair = saturation.worst_pair(data)
        return f"every processor: no sum can saturate (largest weight pair {pair} of {saturation.LARGEST_PAIR})"
    aim = model_file.TARGETS.get(info.target, "no target in the file")
    return f"not every processor ({aim}): {len(risks)} nodes can saturate on x86 without VNNI, {risks[0]} first"


def machine() -> str:
    """Describes the processor and ONNX Runtime in one line."""
    kernels = "saturate" if saturation.kernels_saturate() else "are exact"
    return f"{cpu.description()}; ONNX Runtime {onnxruntime.__version__}, whose int8 kernels {kernels} here"
