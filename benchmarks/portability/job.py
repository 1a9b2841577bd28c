"""A model with prepared inputs for a runtime, and the runtime's outputs."""

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
"""Seconds allowed for the start of a runtime, in addition to ``Job.seconds``; under emulation it takes most of a minute."""


@dataclass(frozen=True, eq=False)
class Job:
    """The inputs of one measurement, the same for every runtime.

    Attributes:
        model: the model file.
        name: name of its input tensor.
        inputs: float32 (N, C, H, W), preprocessed.
        folder: empty folder for temporary files.
        cache: folder of the runtimes that ``--prepare`` installed.
        seconds: time limit; a runtime returns the faces that it finished by then.
    """

    model: Path
    name: str
    inputs: NDArray[np.float32]
    folder: Path
    cache: Path
    seconds: float

    @cached_property
    def inputs_file(self) -> Path:
        """``inputs`` as .npy, written at first use."""
        path = self.folder / "inputs.npy"
        np.save(path, self.inputs)
        return path


@dataclass(frozen=True, eq=False)
class RuntimeOutputs:
    """Outputs of a runtime.

    Attributes:
        logits: float32 (n, K), the first n faces, fewer than all when the time limit was reached.
        milliseconds: p50 for a batch of one face; None where it is meaningless, as under emulation.
        version: version of the runtime.
        where: the processor, real or emulated.
    """

    logits: NDArray[np.float32]
    milliseconds: float | None
    version: str
    where: str

    @classmethod
    def of(
        cls, logits: object, seconds: Sequence[float], version: str, where: str, timed: bool = True
    ) -> RuntimeOutputs:
        """Checks the outputs. Raises FaceletError unless they are a finite (n, K) array with a row for each of the ``seconds``."""
        table = np.asarray(logits, np.float32)
        if table.ndim != 2 or not table.size or len(table) != len(seconds):
            raise FaceletError(f"returned an array of shape {table.shape} for {len(seconds)} faces")
        if not np.isfinite(table).all():
            raise FaceletError("returned NaN or infinity")
        return cls(table, 1000 * float(np.median(seconds)) if timed else None, version, where)


def by_worker(
    job: Job, python: Sequence[str], engine: str, where: str, timed: bool = True, env: Mapping[str, str] | None = None
) -> RuntimeOutputs:
    """Runs worker.py in its own process, so that a crash is reported like any other failure.

    ``python``: command that starts Python, possibly in an emulator. ``engine``: a name in ``worker.ENGINES``.
    Raises FaceletError with the signal or the last line of the worker's stderr.
    """
    out = job.folder / "answers.npz"
    out.unlink(missing_ok=True)
    words = [*python, str(WORKER), engine, str(job.model), job.name, str(job.inputs_file), str(out), str(job.seconds)]
    try:
        ended = subprocess.run(words, capture_output=True, timeout=job.seconds + STARTING, env=env)
    except subprocess.TimeoutExpired as error:
        raise FaceletError(f"no result in {job.seconds + STARTING:.0f} s") from error
    except OSError as error:
        raise FaceletError(f"cannot start {words[0]}: {error.strerror}") from error
    if ended.returncode:
        raise FaceletError(failure(ended))
    with np.load(out) as kept:
        version = json.loads(ended.stdout.splitlines()[-1])["version"]
        return RuntimeOutputs.of(kept["logits"], kept["seconds"], version, where, timed)


def failure(ended: subprocess.CompletedProcess[bytes]) -> str:
    """Returns the reason for a process's failure, in one line."""
    lines = [line for line in ended.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    last = lines[-1].strip()[:500] if lines else "no error message"
    if ended.returncode < 0:
        return f"crashed by {signal.Signals(-ended.returncode).name}: {last}"
    return last
