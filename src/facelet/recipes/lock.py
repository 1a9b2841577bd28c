"""Lock of a run's folder: a second `facelet run` on the same folder is refused while the first is running.

It is a lock of the operating system, which is released when its process ends in any way.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from facelet.errors import FaceletError

NAME = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Locks ``folder`` for this process. Raises FaceletError when another process has locked it.

    At the end removes the lock file, and folders that were created for it if they are empty.
    """
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    handle = _held(folder)
    try:
        yield
    finally:
        path = folder / NAME
        with contextlib.suppress(OSError):
            path.unlink()  # while locked, so that the next process does not open a file that is about to be removed
        handle.close()
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)  # Windows cannot remove open files
            for place in missing:
                place.rmdir()


def _held(folder: Path) -> TextIO:
    """Returns the lock file, open and locked."""
    path = folder / NAME
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle = path.open("a+")
        except OSError as error:
            raise FaceletError(f"cannot write in {folder}: {error.strerror}") from None
        try:
            _take(handle.fileno())
        except OSError:
            handle.seek(0)
            holder = handle.read(20).strip() or "unknown"
            handle.close()
            raise FaceletError(
                f"{folder} is in use by another run (process {holder}); wait for it, stop it, or choose another --out"
            ) from None
        if _is(handle, path):
            handle.truncate(0)
            handle.write(str(os.getpid()))
            handle.flush()
            return handle
        handle.close()  # its holder removed it in the meantime: lock the current file


def _is(handle: TextIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle.fileno()), path.stat())
    except OSError:
        return False


def _take(descriptor: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
