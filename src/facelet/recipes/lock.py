"""One run, one process: a second `facelet run` on the same folder is refused while the first one lives.

The lock is the operating system's, so it vanishes with its process, however that ends.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from facelet.errors import FaceletError


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds ``folder`` for this process. Raises FaceletError when another one holds it."""
    path = folder / ".lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = path.open("a+")
    except OSError as error:
        raise FaceletError(f"cannot write in {folder}: {error.strerror}") from None
    with handle:
        try:
            _take(handle.fileno())
        except OSError:
            handle.seek(0)
            holder = handle.read(20).strip() or "unknown"
            raise FaceletError(
                f"{folder} is in use by another run (process {holder}); wait for it, stop it, or choose another --out"
            ) from None
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield


def _take(descriptor: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
