"""Files: checked paths with a hint for misspelled names, reads with a size limit, and atomic writes."""

from __future__ import annotations

import errno
import json
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from facelet.errors import FaceletError, nearest

LISTED = 2000
"""Largest number of names in a folder that are searched for the nearest."""
MAX_JSON = 256 << 20
"""Largest size of a JSON file in bytes."""


def existing(path: str | Path, kind: str = "file or folder") -> Path:
    """``path``, or ``path`` with ~ expanded, whichever exists.

    Raises FaceletError, with the nearest name in the same folder, when neither exists. Broken links are never suggested.
    """
    place, similar = Path(path), None
    try:
        if place.exists() or (place := place.expanduser()).exists():
            return place
        for link in (Path(path), place):
            if link.is_symlink():
                raise FaceletError(f"{path} is a link to {str(link.readlink())!r}, which does not exist")
        if place.parent.is_dir():
            with os.scandir(place.parent) as entries:
                there = (entry.name for entry in islice(entries, LISTED) if os.path.exists(entry))
                similar = nearest(place.name, there)
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: ~ of an unknown user
        raise FaceletError(f"cannot look into {path}: {getattr(error, 'strerror', None) or error}") from None
    guess = f", did you mean {str(place.parent / similar)!r}?" if similar else ""
    raise FaceletError(f"no {kind} {str(path)!r}{guess}")


def read_bytes(path: str | Path, limit: int) -> bytes:
    """A file's bytes.

    Raises FaceletError when it is missing, not a regular file (reading a pipe would hang) or larger than ``limit`` bytes.
    """
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise FaceletError(f"{path} is not a file")
        if status.st_size > limit:
            raise FaceletError(f"{path} has {status.st_size:,} bytes, more than Facelet's limit of {limit >> 20:,} MiB")
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise FaceletError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None


@contextmanager
def writing(path: str | Path) -> Iterator[Path]:
    """Atomic write: yields a temporary path in the same folder, renamed to ``path`` on success and deleted on an exception.

    A replaced file's mode is kept. Raises FaceletError when the disk is full, the folder is not writable, or ``path`` is a
    folder or a device.
    """
    target = Path(path)
    try:
        beside = target.with_name(f".{secrets.token_hex(4)}{target.suffix}")
        target.parent.mkdir(parents=True, exist_ok=True)
        replaced = target.exists()
        if replaced and not target.is_file():
            raise FaceletError(f"cannot write {target}: it exists and is not a regular file")
        os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        if replaced:
            beside.chmod(target.stat().st_mode & 0o777 | 0o600)
    except (OSError, ValueError) as error:
        raise _explained(error, target) from None
    try:
        yield beside
        with beside.open("rb") as written:
            os.fsync(written.fileno())
        beside.replace(target)
    except OSError as error:
        raise _explained(error, target) from None
    finally:
        beside.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Writes UTF-8 text atomically; raises as ``writing``."""
    with writing(path) as beside:
        beside.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: Any) -> None:
    """Writes JSON atomically; raises as ``writing``."""
    write_text(path, json.dumps(value, indent=1, sort_keys=False) + "\n")


def read_json(path: str | Path) -> Any:
    """The parsed value of a JSON file. Raises FaceletError when it is missing, is not JSON, or has more than MAX_JSON bytes."""
    try:
        return json.loads(read_bytes(path, MAX_JSON).decode("utf-8"))
    except (ValueError, RecursionError) as error:  # ValueError: not UTF-8, not JSON, or a number of thousands of digits
        raise FaceletError(f"cannot read {path}: {error}") from None


def _explained(error: OSError | ValueError, target: Path) -> FaceletError:
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
        return FaceletError(
            f"the disk is full: could not write {target}; free some space, then run the same command again"
        )
    return FaceletError(f"cannot write {target}: {getattr(error, 'strerror', None) or error}")
