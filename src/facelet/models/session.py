"""Opens a model file as an ONNX Runtime session and checks it against its metadata.

>>> session = open_session("student-int8.onnx", threads=1)

A file is refused when its outputs on this machine would differ from the measured ones: when its int8 weights saturate here, or when
its outputs on the golden faces are not those of the fp32 net.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from facelet import cpu
from facelet.errors import FaceletError, UnprovenModelError
from facelet.models import saturation
from facelet.models import self_test as selftest
from facelet.models.bundled import twin_of
from facelet.models.model_file import NEVER, ModelInfo, content, metadata_of, parse
from facelet.models.onnx_wire import has_external_data

if TYPE_CHECKING:
    import onnxruntime


def open_session(path: str | Path, threads: int = 0) -> onnxruntime.InferenceSession:
    """An ONNX Runtime session on the CPU; ``threads`` 0 uses all cores.

    The runtime gets the file's bytes, and external data is refused, so a model cannot make the runtime open other files.

    Raises FaceletError when the file is missing, damaged or has no Facelet metadata, or when its graph does not match its metadata:
    one input (N, channels, size, size) and one output (N, labels); for an early-exit model also an optional input ``threshold`` and
    an output ``exit``. Raises UnprovenModelError when the model can saturate on this machine or fails its self-test, except inside
    ``unproven_models_allowed``.
    """
    require_threads(threads)
    import onnxruntime

    data = content(path)
    info = parse(metadata_of(data, path), str(path))
    try:
        if has_external_data(data):
            raise FaceletError(f"{path} keeps weights in other files; expected a single file with all weights")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = threads
        # Idle threads would spin on the cores that the detector needs next, which made it half as fast (on 2 cores).
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # With a fallback ONNX Runtime retries and prints "EP Error" to standard output, which is reserved for results.
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"], enable_fallback=0)
    except FaceletError:
        raise
    except Exception as error:  # ONNX Runtime raises its own classes, without a common base
        raise FaceletError(f"{path} is not a working ONNX file: {str(error).splitlines()[0][:200]}") from None
    _require_fit(session, info, path)
    if not _unproven_allowed.get():
        _require_proof(session, info, data, path)
    return session


MOST_THREADS = 64
"""Limit on machines with fewer processors. ONNX Runtime itself has none and would start thousands of threads."""


def require_threads(threads: int) -> None:
    """Raises FaceletError for a negative number of threads or one above the limit."""
    most = max(MOST_THREADS, os.cpu_count() or 1)
    if not 0 <= threads <= most:
        raise FaceletError(f"threads: {threads}; expected 1 to {most}, or 0 for all {os.cpu_count() or 1} processors")


_unproven_allowed: ContextVar[bool] = ContextVar("unproven_allowed", default=False)
_proven: set[bytes] = set()
"""SHA-256 of the files that passed the checks in this process."""


@contextmanager
def unproven_models_allowed() -> Iterator[None]:
    """Context in which models that can saturate on this machine or fail their self-test are opened, at the user's own risk."""
    token = _unproven_allowed.set(True)
    try:
        yield
    finally:
        _unproven_allowed.reset(token)


def _require_proof(session: onnxruntime.InferenceSession, info: ModelInfo, data: bytes, path: str | Path) -> None:
    """Raises UnprovenModelError when the file can saturate or fails its self-test; checked once per process and file."""
    key = hashlib.sha256(data).digest()
    if key in _proven:
        return
    if info.precision == "int8" and saturation.kernels_saturate() and (risks := saturation.risks(data)):
        target = f"target {info.target}" if info.target else "target not stated"
        raise UnprovenModelError(
            f"{path} ({target}) has 8-bit weights that saturate on this machine, {cpu.description()}: {risks[0]}"
            + (f" and {len(risks) - 1} more" if len(risks) > 1 else ""),
            _advice(path),
        )
    if info.selftest and (moved := self_test(session, info, path)) > info.selftest.tolerance:
        import onnxruntime

        raise UnprovenModelError(
            f"{path} fails its self-test on this machine, {cpu.description()}, ONNX Runtime {onnxruntime.__version__}: "
            f"its outputs deviate by {moved:.3g} from the fp32 net's, expected at most {info.selftest.tolerance:.3g}",
            _advice(path),
        )
    _proven.add(key)


def _advice(path: str | Path) -> str:
    return f"use {twin_of(Path(path)) or 'the fp32 model that it was made from'}, or --allow to take the risk"


def self_test(session: onnxruntime.InferenceSession, info: ModelInfo, path: str | Path) -> float:
    """``self_test.deviation`` of a session whose file has a self-test. Raises FaceletError when the record is damaged."""
    assert info.selftest is not None
    try:
        faces = selftest.golden_faces(info.selftest, info.input.channels)
    except ValueError as error:
        raise FaceletError(f"{path}: its self-test is damaged: {error}") from None
    try:
        outputs = session.run(None, self_test_feed(faces, info))[0]
    except Exception:  # ONNX Runtime raises its own classes; any error means that the file does not work here
        return float("inf")
    return selftest.deviation(outputs, info.selftest.outputs)


def self_test_feed(faces: NDArray[np.uint8], info: ModelInfo) -> dict[str, NDArray[np.float32]]:
    """Golden faces as the net's input; an early-exit model runs to its deepest exit."""
    pixels = selftest.enlarged(faces, info.input.size).transpose(0, 3, 1, 2).astype(np.float32) / 255
    mean, std = (np.array(values, np.float32)[:, None, None] for values in (info.input.mean, info.input.std))
    feed = {info.input.name: ((pixels - mean) / std).astype(np.float32)}
    if info.exits:
        feed["threshold"] = np.array(NEVER, np.float32)
    return feed


def _require_fit(session: onnxruntime.InferenceSession, info: ModelInfo, path: str | Path) -> None:
    """Raises FaceletError when the graph does not match the metadata."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if [value.name for value in inputs] != [info.input.name] or inputs[0].type != "tensor(float)":
        graph_inputs = ", ".join(f"{value.name} {value.type}" for value in inputs)
        raise FaceletError(
            f"{path}: its metadata has one float input {info.input.name!r}, its graph has {graph_inputs or 'none'}"
        )
    shape, expected = list(inputs[0].shape), [info.input.channels, info.input.size, info.input.size]
    if shape[1:] != expected or isinstance(shape[0], int):
        raise FaceletError(
            f"{path}: its metadata has the input shape (N, {str(expected)[1:-1]}), its graph has {shape}"
        )
    extra = {value.name for value in session.get_overridable_initializers()} | {value.name for value in outputs[1:]}
    if extra != ({"threshold", "exit"} if info.exits else set()):
        kind = "an early-exit model" if info.exits else "a model with one output"
        names = ", ".join(sorted(extra)) or "none"
        raise FaceletError(
            f"{path}: its metadata describes {kind}, its graph has these extra inputs and outputs: {names}"
        )
    shape = list(outputs[0].shape)
    if len(shape) != 2 or (info.task == "expression" and shape[1] != len(info.labels)):
        raise FaceletError(
            f"{path}: its metadata has {len(info.labels)} labels, its graph has the output shape {shape}"
        )
