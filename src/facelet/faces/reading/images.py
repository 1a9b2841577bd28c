"""Reads many images of an archive into an array, on several threads. Unreadable files are reported together.

>>> images, whole, note = read_images(archive, archive.images, size=48, channels=1)
>>> images.shape, whole.all()
((981, 48, 48, 1), True)
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from facelet.errors import FaceletError, FaceletWarning, unknown
from facelet.faces.reading.archive import Archive
from facelet.io import pixels

SAMPLE = 64
MAX_OWN_SIZE = 224
CHUNK = 256
UNREADABLE = "unreadable, left out"
NO_FACE = "no face found, cut at the usual place"
SHOWN = 5
"""Number of files listed in a warning."""
FEW = 0.1
"""Share of faces that may be enlarged without a note."""


def read_images(
    archive: Archive,
    names: Sequence[str],
    *,
    size: int | None,
    channels: int | None,
    unreadable: str = "refuse",
    shown: Sequence[str] | None = None,
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], tuple[str, ...]]:
    """Reads the images ``names`` of ``archive``.

    Args:
        archive: folder or zip.
        names: names of the N files.
        size: side in pixels; None takes the median side of a sample, at most 224.
        channels: 1 grey, 3 RGB; None takes grey if all images of a sample are grey.
        unreadable: "refuse" raises for unreadable files, "skip" leaves them out.
        shown: names of the files in warnings, in the order of ``names``.

    Returns:
        Images uint8 (M, size, size, channels), a mask (N,) of the M files that were read, and notes: the number of skipped files,
        and of faces enlarged to a requested ``size``. Notes contain no file names, because they are stored in model files.
    """
    if unreadable not in ("refuse", "skip"):
        raise unknown("value of unreadable", unreadable, ("refuse", "skip"))
    requested = size is not None
    if size is None or channels is None:
        own_size, own_channels = _own(archive, names)
        size, channels = size or own_size, channels or own_channels
    try:
        images = np.empty((len(names), size, size, channels), np.uint8)
    except MemoryError:
        raise FaceletError(f"{len(names):,} faces of {size} px do not fit in memory; take a smaller size") from None
    wrong: dict[int, str] = {}
    small = np.zeros(len(names), bool)

    def fill(start: int) -> None:
        for number in range(start, min(start + CHUNK, len(names))):
            try:
                image = pixels.decode(archive.read(names[number]), names[number])
            except FaceletError as error:
                wrong[number] = str(error)
            else:
                small[number] = min(image.shape[:2]) < size
                images[number] = pixels.resize(pixels.to_channels(image, channels), size)

    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as threads:
        list(threads.map(fill, range(0, len(names), CHUNK)))
    notes: tuple[str, ...] = ()
    if requested and small.sum() > FEW * len(names):
        notes = (f"{small.sum():,} of {len(names):,} faces are smaller than {size} px and enlarged",)
    if not wrong:
        return images, np.ones(len(names), bool), notes
    if unreadable == "refuse":
        first = "; ".join(wrong[number] for number in sorted(wrong)[:3])
        more = f" and {len(wrong) - 3:,} more" if len(wrong) > 3 else ""
        raise FaceletError(
            f"{archive.path}: {len(wrong):,} of {len(names):,} images cannot be read: {first}{more}; "
            "repair or remove them, or skip them with ?unreadable=skip"
        )
    whole = np.ones(len(names), bool)
    whole[list(wrong)] = False
    if not whole.any():
        raise FaceletError(f"{archive.path}: none of {len(names):,} images can be read")
    return images[whole], whole, (counted(UNREADABLE, [(shown or names)[number] for number in sorted(wrong)]), *notes)


def counted(what: str, names: Sequence[str]) -> str:
    """A note with the number of files; their names go to a FaceletWarning, not into the note."""
    listed = ", ".join(names[:SHOWN]) + ", ..." * (len(names) > SHOWN)
    warnings.warn(f"{what}: {listed}", FaceletWarning, stacklevel=2)
    return f"{what}: {len(names):,}"


def without_names(note: str) -> str:
    """Removes the file names from a note of an earlier version; other notes are unchanged."""
    return re.sub(rf"^({UNREADABLE}|{NO_FACE}): ([\d,]+) \(.*\)$", r"\1: \2", note, flags=re.DOTALL)


def _own(archive: Archive, names: Sequence[str]) -> tuple[int, int]:
    """The images' own size and channels, from a sample spread over the archive."""
    sides, grey = [], True
    for number in np.linspace(0, len(names) - 1, min(SAMPLE, len(names))).astype(int):
        try:
            image = pixels.decode(archive.read(names[number]), names[number])
        except FaceletError:
            continue
        sides.append(min(image.shape[:2]))
        grey = grey and bool((image[..., 0] == image[..., 1]).all() and (image[..., 1] == image[..., 2]).all())
    return max(8, min(MAX_OWN_SIZE, int(np.median(sides)))) if sides else 8, 1 if grey else 3
