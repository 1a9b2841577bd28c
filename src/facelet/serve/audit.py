"""The audit: a JSON line for each enrollment, renaming and deletion, also by time, with who did it; never pictures or vectors.

{"time": "2026-11-28T10:00:00+00:00", "act": "enroll", "key": "phone", "client": "10.0.0.7", "name": "Anna", "faces": 2}
"""

from __future__ import annotations

import json
import logging
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from facelet.errors import FaceletError

log = logging.getLogger("facelet.audit")


class Actor(NamedTuple):
    """Who asks: the name of the API key, and the client's address."""

    key: str
    client: str


NOBODY = Actor("", "")
"""The service itself, which deletes by time."""


def open_log(file: Path | None = None) -> None:
    """Directs the audit to a file, or to standard error. Raises FaceletError when the file cannot be written.

    A new file can be read by its owner alone, since the lines hold names.
    """
    try:
        if file:
            os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
        handler = logging.FileHandler(file, encoding="utf-8") if file else logging.StreamHandler()
    except OSError as error:
        raise FaceletError(f"cannot write the audit to {file}: {error.strerror}") from None
    handler.setFormatter(logging.Formatter("%(message)s"))
    for earlier in log.handlers[:]:
        log.removeHandler(earlier)
        earlier.close()
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False


def record(act: str, actor: Actor, **facts: Any) -> None:
    """Writes a line."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    log.info(json.dumps({"time": now, "act": act, **actor._asdict(), **facts}))
