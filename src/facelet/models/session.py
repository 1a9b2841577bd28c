"""Opens a model file as an ONNX Runtime session, and holds it to what it says about itself.

>>> session = open_session("student-int8.onnx", threads=1)

A file that would answer otherwise than it was measured to is refused: int8 weights that saturate on this machine, and golden faces
whose outputs are not those of the fp32 net.
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
    """An ONNX Runtime session on the CPU; ``threads`` 0 takes all cores.

    The file is read whole, given as bytes and refused when it keeps weights in other files, so a model cannot make the
    runtime open anything else. Raises FaceletError when it is missing, damaged, not ours, or its graph is not what its
    metadata says: one input (N, channels, size, size), one output (N, labels); of a model that stops early, a threshold that may be
    given, and the exit that answered. Raises UnprovenModelError when it can saturate here or fails its self-test, but within
    ``unproven_models_allowed``.
    """
    require_threads(threads)
    import onnxruntime

    data = content(path)
    info = parse(metadata_of(data, path), str(path))
    try:
        if has_external_data(data):
            raise FaceletError(f"{path} keeps weights in other files; a model file is whole in itself")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = threads
        # Waiting threads would spin on the cores that the detector needs next: that made it half as fast (2 cores).
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Without a fallback nothing is retried, and ONNX Runtime prints no "EP Error" to standard output, which is for answers.
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
"""Or the machine's processors, if there are more. ONNX Runtime starts every thread it is asked for, thousands if need be."""


def require_threads(threads: int) -> None:
    """Raises FaceletError for a number of threads that no machine like this one can use."""
    most = max(MOST_THREADS, os.cpu_count() or 1)
    if not 0 <= threads <= most:
        raise FaceletError(f"threads: {threads}; expected 1 to {most}, or 0 for all {os.cpu_count() or 1} processors")


_unproven_allowed: ContextVar[bool] = ContextVar("unproven_allowed", default=False)
_proven: set[bytes] = set()
"""SHA-256 of the files that were proven in this process."""


@contextmanager
def unproven_models_allowed() -> Iterator[None]:
    """Within it files are opened that can saturate on this machine or fail their self-test, at the user's own risk."""
    token = _unproven_allowed.set(True)
    try:
        yield
    finally:
        _unproven_allowed.reset(token)


def _require_proof(session: onnxruntime.InferenceSession, info: ModelInfo, data: bytes, path: str | Path) -> None:
    """Raises UnprovenModelError where the file does not compute here what it was measured to; once a process and file."""
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
            f"its outputs are {moved:.3g} from the fp32 net's, at most {info.selftest.tolerance:.3g} was measured",
            _advice(path),
        )
    _proven.add(key)


def _advice(path: str | Path) -> str:
    return f"use {twin_of(Path(path)) or 'the fp32 model that it was made from'}, or --allow to take the risk"


def self_test(session: onnxruntime.InferenceSession, info: ModelInfo, path: str | Path) -> float:
    """``selftest.deviation`` of an open file that has a self-test. Raises FaceletError when its record is damaged."""
    assert info.selftest is not None
    try:
        faces = selftest.golden_faces(info.selftest, info.input.channels)
    except ValueError as error:
        raise FaceletError(f"{path}: its self-test is damaged: {error}") from None
    try:
        answers = session.run(None, self_test_feed(faces, info))[0]
    except Exception:  # ONNX Runtime raises its own classes; whatever it is, the file does not work here
        return float("inf")
    return selftest.deviation(answers, info.selftest.outputs)


def self_test_feed(faces: NDArray[np.uint8], info: ModelInfo) -> dict[str, NDArray[np.float32]]:
    """Golden faces as the net's input; a model that stops early goes to its deepest exit."""
    pixels = selftest.enlarged(faces, info.input.size).transpose(0, 3, 1, 2).astype(np.float32) / 255
    mean, std = (np.array(values, np.float32)[:, None, None] for values in (info.input.mean, info.input.std))
    feed = {info.input.name: ((pixels - mean) / std).astype(np.float32)}
    if info.exits:
        feed["threshold"] = np.array(NEVER, np.float32)
    return feed


def _require_fit(session: onnxruntime.InferenceSession, info: ModelInfo, path: str | Path) -> None:
    """Raises FaceletError where the graph is not what the metadata says."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if [one.name for one in inputs] != [info.input.name] or inputs[0].type != "tensor(float)":
        found = ", ".join(f"{one.name} {one.type}" for one in inputs)
        raise FaceletError(
            f"{path}: its metadata says one float input {info.input.name!r}, its graph has {found or 'none'}"
        )
    shape, expected = list(inputs[0].shape), [info.input.channels, info.input.size, info.input.size]
    if shape[1:] != expected or isinstance(shape[0], int):
        raise FaceletError(f"{path}: its metadata says faces of (N, {str(expected)[1:-1]}), its graph takes {shape}")
    extra = {one.name for one in session.get_overridable_initializers()} | {one.name for one in outputs[1:]}
    if extra != ({"threshold", "exit"} if info.exits else set()):
        stops = "stops early" if info.exits else "has one answer"
        found = ", ".join(sorted(extra)) or "nothing"
        raise FaceletError(f"{path}: its metadata says that it {stops}, its graph has besides {found}")
    shape = list(outputs[0].shape)
    if len(shape) != 2 or (info.task == "expression" and shape[1] != len(info.labels)):
        raise FaceletError(f"{path}: its metadata has {len(info.labels)} labels, its graph answers with {shape}")
