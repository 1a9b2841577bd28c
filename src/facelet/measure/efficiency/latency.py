"""Latency of model files on this machine: p50 and p95 of a session run, with interleaved models.

>>> where, rows = machine(), bench(["student.onnx", "student-int8.onnx"])
>>> print(rows[0].p50_ms, rows[0].faces_per_second)

Times are of ONNX Runtime on preprocessed input, without decoding, detection and cropping. Models take turns in short bursts, so
that a slow phase of the machine affects all of them; the first run of a burst only warms the caches and is not counted. Do not
compare times from separate calls of ``bench``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from facelet.errors import FaceletError
from facelet.models import model_file
from facelet.models import session as model_session
from facelet.runtime.model import prepared

BURST = 8
TIMED = 256
"""Number of faces for timing; only the latency of early-exit models depends on the faces."""


@dataclass(frozen=True)
class Latency:
    """Latency of a model at one batch size.

    Attributes:
        p50_ms, p95_ms, mean_ms: milliseconds for one run with ``batch`` faces.
        n: number of timed runs.
        params, macs: from the file's metadata, for one face; 0 if missing.
        bytes: size of the file.
    """

    name: str
    path: str
    precision: str
    batch: int
    threads: int
    p50_ms: float
    p95_ms: float
    mean_ms: float
    n: int
    params: int
    macs: int
    bytes: int

    @property
    def faces_per_second(self) -> float:
        return 1000 * self.batch / self.p50_ms


def bench(
    paths: Sequence[str | Path],
    batches: Sequence[int] = (1,),
    threads: int = 1,
    seconds: float = 2.0,
    rounds: int | None = None,
    faces: NDArray[np.uint8] | None = None,
) -> list[Latency]:
    """Times every model at every batch size, for ``seconds`` each or ``rounds`` bursts of ``BURST`` runs each.

    ``faces``: uint8 (N, H, W, C), used for all models; default: noise. Only early-exit models depend on them.
    Returns rows by batch size, then in the order of ``paths``. Raises FaceletError for other files than models.
    """
    if not paths:
        raise FaceletError("nothing to time: give at least one model file")
    if min(batches, default=0) < 1 or threads < 1:
        raise FaceletError(f"batches are {tuple(batches)} and threads {threads}, expected 1 or more")
    if not 0 < seconds <= 3600:
        raise FaceletError(f"seconds is {seconds}, expected more than 0 and at most 3600")
    infos = [model_file.read(path) for path in paths]
    sessions = [model_session.open_session(path, threads) for path in paths]
    rows = []
    for batch in batches:
        feeds = [_feeds(info, batch, faces) for info in infos]
        times = interleaved(_calls(sessions), feeds, seconds * len(paths), rounds)
        for path, info, durations in zip(paths, infos, times, strict=True):
            p50, p95 = np.percentile(np.array(durations) * 1000, (50, 95))
            rows.append(
                Latency(
                    info.name or Path(path).stem,
                    str(path),
                    info.precision,
                    batch,
                    threads,
                    float(p50),
                    float(p95),
                    float(np.mean(durations) * 1000),
                    len(durations),
                    info.params,
                    info.macs,
                    Path(path).stat().st_size,
                )
            )
    return rows


def timing_faces(source: str) -> NDArray[np.uint8]:
    """Returns the first TIMED faces of a source, from its validation split if it has one."""
    from facelet.faces import load

    faces = load(source)
    return (faces.split("val") if faces.has("val") else faces).images[:TIMED]


def mean_times(
    path: str | Path, thresholds: Sequence[float], faces: NDArray[np.uint8], seconds: float = 0.5
) -> list[float]:
    """Returns the mean milliseconds per face of an early-exit model at each threshold; one thread, ``seconds`` for each."""
    session, info = model_session.open_session(path, 1), model_file.read(path)
    feeds = [
        [{**feed, "threshold": np.array(threshold, np.float32)} for feed in _feeds(info, 1, faces)]
        for threshold in thresholds
    ]
    times = interleaved(_calls([session] * len(feeds)), feeds, seconds * len(feeds), None)
    return [float(np.mean(durations) * 1000) for durations in times]


def _feeds(info: model_file.ModelInfo, batch: int, faces: NDArray[np.uint8] | None) -> list[dict[str, np.ndarray]]:
    """Returns the inputs of the timed runs: batches of the faces, or a single batch of noise."""
    if faces is None:
        shape = (batch, info.input.channels, info.input.size, info.input.size)
        return [{info.input.name: np.random.default_rng(0).standard_normal(shape, np.float32)}]
    rows = prepared(faces, info.input)
    rows = rows[np.arange(-(-len(rows) // batch) * batch) % len(rows)]
    return [{info.input.name: rows[start : start + batch]} for start in range(0, len(rows), batch)]


def _calls(sessions: Sequence[onnxruntime.InferenceSession]) -> list[Callable[[Any], Any]]:
    return [partial(session.run, None) for session in sessions]


def interleaved(
    calls: Sequence[Callable[[Any], Any]],
    feeds: Sequence[Sequence[Any]],
    seconds: float,
    rounds: int | None = None,
) -> list[list[float]]:
    """Returns the seconds of every timed run of every call, each on its own list of feeds.

    Every feed runs at least once. Each round starts with another call. It ends after ``seconds``, or after ``rounds``.
    """
    for call, batches in zip(calls, feeds, strict=True):
        for _ in range(3):
            call(batches[0])
    times: list[list[float]] = [[] for _ in calls]
    end, turn = time.perf_counter() + seconds, 0
    least = max(3, max(-(-len(batches) // BURST) for batches in feeds))
    while turn < rounds if rounds is not None else (time.perf_counter() < end or turn < least):
        for place in range(len(calls)):
            number = (place + turn) % len(calls)
            call, batches = calls[number], feeds[number]
            call(batches[turn * BURST % len(batches)])
            for run in range(turn * BURST, (turn + 1) * BURST):
                feed = batches[run % len(batches)]
                start = time.perf_counter()
                call(feed)
                times[number].append(time.perf_counter() - start)
        turn += 1
    return times
