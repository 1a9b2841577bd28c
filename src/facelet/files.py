"""Files are written beside and renamed, so a torn file never carries a real name."""

from __future__ import annotations

import errno
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from facelet.errors import FaceletError


@contextmanager
def writing(path: str | Path) -> Iterator[Path]:
    """Yields a path beside ``path`` to write to; renames it to ``path`` when the block ends well, deletes it otherwise.

    Raises FaceletError when the disk is full or the folder cannot be written.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=target.suffix, dir=target.parent)
    except OSError as error:
        raise _explained(error, target) from error
    os.close(descriptor)
    beside = Path(name)
    try:
        yield beside
        with beside.open("rb") as written:
            os.fsync(written.fileno())
        beside.chmod(0o644)
        beside.replace(target)
    except OSError as error:
        raise _explained(error, target) from error
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
        raise FaceletError(f"cannot read {path}: {error}") from error


def _explained(error: OSError, target: Path) -> FaceletError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return FaceletError(
            f"the disk is full: could not write {target}; free some space, then run the same command again"
        )
    return FaceletError(f"cannot write {target}: {error.strerror or error}")
