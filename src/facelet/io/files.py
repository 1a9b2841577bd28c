"""Files: found with a hint, read within a limit, and written beside and renamed, so a torn file never carries a real name."""

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
"""Names of a folder that are looked through for the nearest one."""


def existing(path: str | Path, kind: str = "file or folder") -> Path:
    """``path``, else with ~ expanded. Raises FaceletError, with the nearest name beside it, when there is nothing there.

    The nearest name is never that of a link which leads nowhere.
    """
    place, beside = Path(path), None
    try:
        if place.exists() or (place := place.expanduser()).exists():
            return place
        for link in (Path(path), place):
            if link.is_symlink():
                raise FaceletError(f"{path} is a link to {str(link.readlink())!r}, where there is nothing")
        if place.parent.is_dir():
            with os.scandir(place.parent) as entries:
                there = (entry.name for entry in islice(entries, LISTED) if os.path.exists(entry))
                beside = nearest(place.name, there)
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: ~ of nobody
        raise FaceletError(f"cannot look into {path}: {getattr(error, 'strerror', None) or error}") from None
    guess = f", did you mean {str(place.parent / beside)!r}?" if beside else ""
    raise FaceletError(f"no {kind} {str(path)!r}{guess}")


def read_bytes(path: str | Path, limit: int) -> bytes:
    """A file's bytes. Raises FaceletError for what is missing, no regular file (a pipe would hang) or beyond ``limit``."""
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            raise FaceletError(f"{path} is not a file")
        if found.st_size > limit:
            raise FaceletError(
                f"{path}: {found.st_size:,} bytes are more than the {limit >> 20:,} MiB that Facelet reads"
            )
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise FaceletError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None


@contextmanager
def writing(path: str | Path) -> Iterator[Path]:
    """Yields a path beside ``path`` to write to; renames it to ``path`` when the block ends well, deletes it otherwise.

    A file that is replaced keeps its mode. Raises FaceletError when the disk is full, the folder cannot be written, or
    ``path`` is a folder or a device.
    """
    target = Path(path)
    try:
        beside = target.with_name(f".{secrets.token_hex(4)}{target.suffix}")
        target.parent.mkdir(parents=True, exist_ok=True)
        replaced = target.exists()
        if replaced and not target.is_file():
            raise FaceletError(f"cannot write {target}: there is something that is no regular file")
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
    with writing(path) as beside:
        beside.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=1, sort_keys=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Raises FaceletError when the file is missing or is not JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise FaceletError(f"cannot read {path}: {error}") from None


def _explained(error: OSError | ValueError, target: Path) -> FaceletError:
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
        return FaceletError(
            f"the disk is full: could not write {target}; free some space, then run the same command again"
        )
    return FaceletError(f"cannot write {target}: {getattr(error, 'strerror', None) or error}")
