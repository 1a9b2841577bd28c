"""A model and prepared inputs for a runtime, and what the runtime answers."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facelet.errors import FaceletError

WORKER = Path(__file__).with_name("worker.py")
STARTING = 180
"""Seconds that a runtime may take to start, which under emulation means most of a minute, on top of ``Job.seconds``."""


@dataclass(frozen=True, eq=False)
class Job:
    """What every runtime is given.

    Attributes:
        model: the file.
        name: of its input.
        inputs: float32 (N, C, H, W), prepared as for the network.
        folder: an empty one, for this job's files.
        cache: where ``--prepare`` has put other runtimes.
        seconds: after which a runtime stops with the faces that it has answered.
    """

    model: Path
    name: str
    inputs: NDArray[np.float32]
    folder: Path
    cache: Path
    seconds: float

    @cached_property
    def inputs_file(self) -> Path:
        """``inputs`` as .npy, written when first asked for."""
        path = self.folder / "inputs.npy"
        np.save(path, self.inputs)
        return path


@dataclass(frozen=True, eq=False)
class Answers:
    """What a runtime answered.

    Attributes:
        logits: float32 (n, K), of the first n faces: all of them, or as many as the time allowed.
        milliseconds: p50 of one face alone; None where a time would mean nothing, as under emulation.
        version: of the runtime.
        where: the processor that computed, or that was emulated.
    """

    logits: NDArray[np.float32]
    milliseconds: float | None
    version: str
    where: str

    @classmethod
    def of(cls, logits: object, seconds: Sequence[float], version: str, where: str, timed: bool = True) -> Answers:
        """Checked: raises FaceletError for logits that are not a finite table with a row for each of the ``seconds``."""
        table = np.asarray(logits, np.float32)
        if table.ndim != 2 or not table.size or len(table) != len(seconds):
            raise FaceletError(f"answered {len(seconds)} faces with an array of shape {table.shape}")
        if not np.isfinite(table).all():
            raise FaceletError("answered with NaN or infinity")
        return cls(table, 1000 * float(np.median(seconds)) if timed else None, version, where)


def by_worker(
    job: Job, python: Sequence[str], engine: str, where: str, timed: bool = True, env: Mapping[str, str] | None = None
) -> Answers:
    """Runs worker.py in a process of its own, so that a crash is a reason like any other.

    ``python``: command that starts Python, an emulator included. ``engine``: a name of ``worker.ENGINES``.
    Raises FaceletError with the signal, or the last line of the worker's errors.
    """
    out = job.folder / "answers.npz"
    out.unlink(missing_ok=True)
    words = [*python, str(WORKER), engine, str(job.model), job.name, str(job.inputs_file), str(out), str(job.seconds)]
    try:
        ended = subprocess.run(words, capture_output=True, timeout=job.seconds + STARTING, env=env)
    except subprocess.TimeoutExpired as error:
        raise FaceletError(f"no answer in {job.seconds + STARTING:.0f} s") from error
    except OSError as error:
        raise FaceletError(f"cannot start {words[0]}: {error.strerror}") from error
    if ended.returncode:
        raise FaceletError(failure(ended))
    with np.load(out) as kept:
        version = json.loads(ended.stdout.splitlines()[-1])["version"]
        return Answers.of(kept["logits"], kept["seconds"], version, where, timed)


def failure(ended: subprocess.CompletedProcess[bytes]) -> str:
    """Why a process failed, in one line."""
    lines = [line for line in ended.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    last = lines[-1].strip()[:500] if lines else "it wrote no error"
    if ended.returncode < 0:
        return f"crashed by {signal.Signals(-ended.returncode).name}: {last}"
    return last
