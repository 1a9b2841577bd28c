"""Runs with several processes (torchrun, srun): the first process runs the recipe, the others join its trainings.

>>> with leading(folder, started) as begin: ...  # first process; begin() once folder and plan exist
>>> follow(folder, hardware, started)            # each of the others

During a training they synchronize through Lightning; between trainings the followers wait for the leader's files in the run's
folder, which must be on a disk shared by all machines.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from facelet.errors import FaceletError
from facelet.io import files
from facelet.learn.device.launch import Launch
from facelet.recipes import schema
from facelet.recipes.context import RunContext, read_faces
from facelet.recipes.result import read_done
from facelet.step import Hardware, StepResult

MARKER = ".launch.json"
"""File in the run's folder with the leader's launch and the error that ended it."""
POLL, PATIENCE = 0.5, 15.0
"""Seconds between checks, and seconds to wait for the leader's error after a failed training."""


@contextmanager
def leading(folder: Path, started: Launch | None) -> Iterator[Callable[[], None]]:
    """Yields a function that starts the followers; an error in the block ends them. No effect in a single process."""

    def tell(error: str = "") -> None:
        if started:
            files.write_json(folder / MARKER, {"launch": started.id, "error": error})

    try:
        yield tell
    except BaseException as error:
        tell(str(error) or type(error).__name__)
        raise


def follow(folder: Path, hardware: Hardware, started: Launch) -> None:
    """Joins every training of the run in ``folder``. Raises FaceletError when the leader ended with an error."""
    _wait(lambda: _begun(folder, started), folder, started)
    recipe = schema.load(str(folder / "recipe.yaml"))
    work = RunContext(
        recipe, read_faces(recipe.faces, recipe.pairs), folder, hardware, say=lambda line: None, leads=False
    )
    for seed, steps in enumerate(recipe.rounds()):
        models: dict[str, StepResult] = {}
        for step, _ in steps:
            done = work.place(step, seed) / "done.json"
            if not done.exists() and step.trains:
                try:
                    step.run(work.job(step, seed, models))
                except Exception:
                    _wait(lambda: False, folder, started, PATIENCE)  # raises the leader's error, if it has one
                    raise
            _wait(done.exists, folder, started)
            models[step.name] = read_done(done.parent)[2]


def _begun(folder: Path, started: Launch) -> bool:
    path = folder / MARKER
    return path.exists() and files.read_json(path)["launch"] == started.id


def _wait(ready: Callable[[], bool], folder: Path, started: Launch, seconds: float = float("inf")) -> None:
    """Waits until ``ready``. Raises FaceletError when the leader of this launch ended with an error."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if _begun(folder, started) and (error := files.read_json(folder / MARKER)["error"]):
            raise FaceletError(f"the leading process ended: {error}")
        if ready():
            return
        time.sleep(POLL)
