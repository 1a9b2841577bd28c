"""What the commands on photos say alike: names of files, how far they are, what a model's training faces were.

>>> short_names(["holiday/a.jpg", "holiday/b.jpg"])
['a.jpg', 'b.jpg']
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from rich.console import Console

from facelet.models.model_file import ModelInfo
from facelet.text import printable

Result = TypeVar("Result")
NO_PEOPLE = "says nothing about faces of people"
"""How the note of a source of drawn faces ends."""


def short_names(names: Sequence[str]) -> list[str]:
    """Names without the folders that all of them lie in."""
    folders = {os.path.dirname(name) for name in names}
    if len(folders) == 1:
        return [os.path.basename(name) for name in names]
    try:
        top = os.path.commonpath(folders)
    except ValueError:  # some are absolute, or on another drive
        return list(names)
    return [os.path.relpath(name, top) if top else name for name in names]


def with_progress(results: Iterator[Result], total: int) -> Iterable[Result]:
    """The same results, with a bar on standard error where a person watches and there is more than one."""
    if total < 2 or not sys.stderr.isatty():
        return results
    from rich.progress import track

    return track(results, "photos", total, console=Console(stderr=True), transient=True)


def say_notes(info: ModelInfo) -> None:
    """Prints, on standard error, that a model never saw a person. How its faces were split and read is no matter of a photo's:
    `facelet models FILE` tells it.
    """
    notes = info.protocol.get("notes")
    for note in notes if isinstance(notes, list | tuple) else ():
        if str(note).endswith(NO_PEOPLE):
            print(f"the model's training faces: {printable(str(note))}", file=sys.stderr)
