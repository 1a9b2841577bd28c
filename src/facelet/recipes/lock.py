"""One run, one process: a second `facelet run` on the same folder is refused while the first one lives.

The lock is the operating system's, so it vanishes with its process, however that ends.
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
    """Holds ``folder`` for this process. Raises FaceletError when another one holds it.

    At the end the lock's file is removed, and so are folders that were made for it and hold nothing else.
    """
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    handle = _held(folder)
    try:
        yield
    finally:
        path = folder / NAME
        with contextlib.suppress(OSError):
            path.unlink()  # while it is held: the next process must not find a file that is about to go
        handle.close()
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)  # Windows removes no open file
            for place in missing:
                place.rmdir()


def _held(folder: Path) -> TextIO:
    """The lock's file, open and locked."""
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
        handle.close()  # its holder removed it in between: lock the one that is there now


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
