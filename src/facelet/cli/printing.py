"""Output shared by the commands on photos: short names, progress, notes and drawn photos.

>>> short_names(["holiday/a.jpg", "holiday/b.jpg"])
['a.jpg', 'b.jpg']
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from facelet.cli.options import errors
from facelet.errors import FaceletError
from facelet.text import plain, printable

if TYPE_CHECKING:
    from pathlib import Path

    from facelet.models.model_file import ModelInfo
    from facelet.runtime.drawing.folder import Drawings
    from facelet.runtime.media.predictions import Prediction

Result = TypeVar("Result")


def short_names(names: Sequence[str]) -> list[str]:
    """Removes the common folder from file names."""
    folders = {os.path.dirname(name) for name in names}
    if len(folders) == 1:
        return [os.path.basename(name) for name in names]
    try:
        top = os.path.commonpath(folders)
    except ValueError:  # a mix of absolute and relative paths, or several drives
        return list(names)
    return [os.path.relpath(name, top) if top else name for name in names]


def with_progress(results: Iterator[Result], total: int) -> Iterable[Result]:
    """Adds a progress bar on standard error if it is a terminal and there are several results."""
    if total < 2 or not sys.stderr.isatty():
        return results
    from rich.progress import track

    return track(results, "photos", total, console=errors, transient=True)


def print_training_notes(info: ModelInfo) -> None:
    """Prints the training note that concerns photos, to standard error: that a model was trained on no real person.

    `facelet models FILE` shows the other notes, on how the faces were split and read.
    """
    from facelet.models.model_file import NO_PEOPLE

    notes = info.protocol.get("notes")
    for note in notes if isinstance(notes, list | tuple) else ():
        if str(note).endswith(NO_PEOPLE):
            print(f"the model's training faces: {printable(str(note))}", file=sys.stderr)


def drawings_in(folder: str, files: Sequence[Path]) -> Drawings | None:
    """Returns the Drawings of a folder; None if ``folder`` is empty."""
    if not folder:
        return None
    from facelet.runtime.drawing.folder import Drawings

    return Drawings(folder, files)


def drawn(result: Prediction, drawings: Drawings, captions: Sequence[str] = ()) -> Prediction:
    """Draws and saves the faces of a result; returns it, or a Prediction with the error. ``captions``: see ``draw``."""
    from facelet.runtime.media.predictions import Prediction

    assert result.photo is not None
    try:
        drawings.save(result.name, result.photo, result.faces, captions)
    except FaceletError as error:
        return Prediction(result.file, error=plain(f"{result.file}: {error}"))
    return result


def require_one(results: Sequence[Prediction]) -> None:
    """Raises FaceletError when none of the photos could be read."""
    if all(result.error for result in results):
        first = results[0].error
        raise FaceletError(first if len(results) == 1 else f"none of the {len(results)} photos can be read; {first}")
