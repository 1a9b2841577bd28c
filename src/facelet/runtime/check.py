"""Whether model files compute on this machine what they were measured to compute.

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
    """What was found about one file.

    Attributes:
        precision, target: as the file says.
        pair: the largest sum of two weights that may meet, see ``saturation.worst_pair``; 0 for a file in fp32.
        deviation: of the golden faces' outputs from the fp32 net's, a share of their standard deviation; None without a self-test.
        tolerance: the largest that was measured where the file was made.
        ms: milliseconds that opening and the self-test took.
        verdict: OK, NO_TEST, or what is wrong here.
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
    """Opens a model file, whatever this machine makes of it.

    Raises FaceletError for what is missing, damaged or not ours.
    """
    path = Path(model)
    info, data, start = model_file.read(path), model_file.content(path), time.perf_counter()
    with unproven_models_allowed():
        session = open_session(path, 1)
    moved = self_test(session, info, path) if info.selftest else None
    spent, pair = time.perf_counter() - start, saturation.worst_pair(data)
    limit = info.selftest.tolerance if info.selftest else None
    if pair > saturation.LARGEST_PAIR and saturation.kernels_saturate():
        verdict = "saturates here"
    elif moved is None or limit is None:
        verdict = NO_TEST
    else:
        verdict = OK if moved <= limit else "fails its self-test"
    entry = bundled.entry_of(path)
    name = entry.name if entry else info.name or path.stem
    return Check(name, str(path), info.precision, info.target, pair, moved, limit, 1000 * spent, verdict)


def check_bundled() -> list[Check]:
    """Every model that comes with Facelet; one that cannot be opened at all has the error as its verdict."""
    found = []
    for model in bundled.models():
        try:
            found.append(check(bundled.path_of(model.name)))
        except FaceletError as error:
            found.append(Check(model.name, model.file, "", "", 0, None, None, 0.0, str(error)))
    return found


def runs_on(info: ModelInfo, data: bytes) -> str:
    """The target of an int8 file, and whether its weights keep the bound."""
    if info.precision != "int8":
        return "every processor: fp32"
    risks = saturation.risks(data)
    if not risks:
        pair = saturation.worst_pair(data)
        return f"every processor: no sum can saturate (largest weight pair {pair} of {saturation.LARGEST_PAIR})"
    aim = model_file.TARGETS.get(info.target, "its target is not said")
    return f"not every processor ({aim}): {len(risks)} nodes can saturate on x86 without VNNI, {risks[0]} first"


def machine() -> str:
    """The processor and the runtime, one line."""
    kernels = "saturate" if saturation.kernels_saturate() else "are exact"
    return f"{cpu.description()}; ONNX Runtime {onnxruntime.__version__}, whose int8 kernels {kernels} here"
