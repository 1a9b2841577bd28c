"""How long a model takes on this machine: p50 and p95 of a session run, models interleaved, the machine described.

>>> where, rows = machine(), bench(["student.onnx", "student-int8.onnx"])
>>> print(rows[0].p50_ms, rows[0].faces_per_second)

A time is that of ONNX Runtime on a prepared input: decoding, detection and cropping come on top. Models take turns in
short bursts, so what slows the machine slows all of them; the first run of a burst, which finds its weights out of the
caches, is not counted. Times of two separate calls of ``bench`` should not be compared.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from facelet.errors import FaceletError
from facelet.models import model_file
from facelet.models import session as model_session
from facelet.runtime.model import prepared

BURST = 8
TIMED = 256
"""Faces that models are timed with; only one that stops early minds which."""


@dataclass(frozen=True)
class Latency:
    """One model at one batch size.

    Attributes:
        p50_ms, p95_ms, mean_ms: of one run with ``batch`` faces, in milliseconds.
        n: runs that were timed.
        params, macs: as the model file says, for one face; 0 where it does not.
        bytes: of the file.
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
    """Times every model at every batch size, ``seconds`` each, or ``rounds`` bursts of ``BURST`` runs each.

    ``faces``: uint8 (N, H, W, C) to time with, each model with the same; noise when None. Only a model that stops early minds.
    Returns rows by batch, then in the order of ``paths``. Raises FaceletError for what is not a model file.
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
        times = _interleaved(sessions, feeds, seconds * len(paths), rounds)
        for path, info, taken in zip(paths, infos, times, strict=True):
            p50, p95 = np.percentile(np.array(taken) * 1000, (50, 95))
            rows.append(
                Latency(
                    info.name or Path(path).stem,
                    str(path),
                    info.precision,
                    batch,
                    threads,
                    float(p50),
                    float(p95),
                    float(np.mean(taken) * 1000),
                    len(taken),
                    info.params,
                    info.macs,
                    Path(path).stat().st_size,
                )
            )
    return rows


def timing_faces(source: str) -> NDArray[np.uint8]:
    """The first TIMED faces of a written source, of its validation split where it has one."""
    from facelet.faces import load

    found = load(source)
    return (found.split("val") if found.has("val") else found).images[:TIMED]


def mean_times(
    path: str | Path, thresholds: Sequence[float], faces: NDArray[np.uint8], seconds: float = 0.5
) -> list[float]:
    """Mean milliseconds of a face of a model that stops early, at each threshold, on one thread; ``seconds`` for each."""
    session, info = model_session.open_session(path, 1), model_file.read(path)
    feeds = [
        [{**feed, "threshold": np.array(threshold, np.float32)} for feed in _feeds(info, 1, faces)]
        for threshold in thresholds
    ]
    times = _interleaved([session] * len(feeds), feeds, seconds * len(feeds), None)
    return [float(np.mean(taken) * 1000) for taken in times]


def _feeds(info: model_file.ModelInfo, batch: int, faces: NDArray[np.uint8] | None) -> list[dict[str, np.ndarray]]:
    """What the runs of a model are given in turn: batches of the faces, or one of noise."""
    if faces is None:
        shape = (batch, info.input.channels, info.input.size, info.input.size)
        return [{info.input.name: np.random.default_rng(0).standard_normal(shape, np.float32)}]
    rows = prepared(faces, info.input)
    rows = rows[np.arange(-(-len(rows) // batch) * batch) % len(rows)]
    return [{info.input.name: rows[start : start + batch]} for start in range(0, len(rows), batch)]


def _interleaved(
    sessions: list[onnxruntime.InferenceSession],
    feeds: list[list[dict[str, np.ndarray]]],
    seconds: float,
    rounds: int | None,
) -> list[list[float]]:
    """Seconds of every timed run of every session, at least one of each feed. Who begins a round changes from round to round."""
    for session, some in zip(sessions, feeds, strict=True):
        for _ in range(3):
            session.run(None, some[0])
    times: list[list[float]] = [[] for _ in sessions]
    end, turn = time.perf_counter() + seconds, 0
    least = max(3, max(-(-len(some) // BURST) for some in feeds))
    while turn < rounds if rounds is not None else (time.perf_counter() < end or turn < least):
        for place in range(len(sessions)):
            number = (place + turn) % len(sessions)
            session, some = sessions[number], feeds[number]
            session.run(None, some[turn * BURST % len(some)])
            for run in range(turn * BURST, (turn + 1) * BURST):
                feed = some[run % len(some)]
                start = time.perf_counter()
                session.run(None, feed)
                times[number].append(time.perf_counter() - start)
        turn += 1
    return times
