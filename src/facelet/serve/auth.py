"""API keys: random, shown once, stored as SHA-256, each with scopes.

>>> secret = create_key(Path("keys"), "phone", ["read", "enroll"])
>>> ring = KeyRing(Path("keys"))
>>> ring.find(secret)
Key(name='phone', scopes=frozenset({'enroll', 'read'}))

The file has a line ``NAME SCOPE,SCOPE SHA256`` for each key; a deleted line takes effect within a second. A key has 256 random
bits, so that a fast hash is enough: there is no dictionary to try. $FACELET_API_KEY is one more key, in plain text, with all
scopes.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import re
import secrets
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from facelet.errors import FaceletError, unknown
from facelet.io.files import read_bytes, write_text

Scope = Literal["read", "enroll", "delete"]
"""read: analyze, verify, embed, identify, list people and metrics; enroll: also rename; delete: remove people."""
SCOPES: tuple[Scope, ...] = get_args(Scope)
FILE_VARIABLE = "FACELET_KEYS"
KEY_VARIABLE = "FACELET_API_KEY"
PREFIX = "fk_"
"""Lets secret scanners recognize a key."""
SHORTEST = 20
"""Minimum number of characters of the environment's key."""
MAX_BYTES = 1 << 20
EVERY = 1.0
"""Seconds between looks at the file."""

log = logging.getLogger("facelet.serve")


@dataclass(frozen=True)
class Key:
    """An API key: its name for the audit, its scopes, and the SHA-256 of its secret."""

    name: str
    scopes: frozenset[str]
    digest: bytes = field(default=b"", repr=False)


LOCAL = Key("local", frozenset(SCOPES))
"""Stands for a client on this machine when there are no keys."""


def find_keys(path: Path | None = None) -> Path:
    """Returns ``path``, else $FACELET_KEYS, else api-keys in the user's data folder."""
    named = path or os.environ.get(FILE_VARIABLE, "")
    if named:
        return Path(named)
    from platformdirs import user_data_path

    return user_data_path("facelet") / "api-keys"


def create_key(file: Path, name: str, scopes: Iterable[str] = ("read",)) -> str:
    """Adds a key to the file, which only its owner can read, and returns the secret, which is not stored.

    Raises FaceletError for an invalid or used name, an unknown scope, and a file that cannot be written.
    """
    wanted = dict.fromkeys(scopes)
    for scope in wanted:
        if scope not in SCOPES:
            raise unknown("scope", scope, SCOPES)
    if not re.fullmatch(r"[\w.-]{1,64}", name, re.ASCII):
        raise FaceletError(
            f"the name {name[:64]!r} of a key: expected up to 64 letters, digits, dots, dashes or underscores"
        )
    keys = read_keys(file) if file.exists() else []
    if any(key.name == name for key in keys):
        raise FaceletError(f"{file} has a key {name!r}; use another name, or delete its line first")
    secret = PREFIX + secrets.token_urlsafe(32)
    lines = file.read_text(encoding="utf-8") if keys else ""
    if lines and not lines.endswith("\n"):
        lines += "\n"
    if not file.exists():
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600))  # write_text keeps the mode
        except OSError as error:
            raise FaceletError(f"cannot write {file}: {error.strerror}") from None
    write_text(file, f"{lines}{name} {','.join(wanted)} {_digest(secret).hex()}\n")
    return secret


def read_keys(file: Path) -> list[Key]:
    """The keys of a file. Raises FaceletError, with the line, for one that is no key."""
    keys = []
    for number, line in enumerate(read_bytes(file, MAX_BYTES).decode("utf-8", "replace").splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        scopes = words[1].split(",") if len(words) == 3 else []
        if not scopes or not set(scopes) <= set(SCOPES) or not re.fullmatch("[0-9a-f]{64}", words[2]):
            raise FaceletError(f"{file}, line {number}: expected NAME SCOPE,SCOPE SHA256, as --new-key writes it")
        keys.append(Key(words[0], frozenset(scopes), bytes.fromhex(words[2])))
    return keys


def open_keys(path: Path | None = None) -> KeyRing:
    """The keys of ``find_keys`` and of the environment.

    Raises FaceletError as ``KeyRing``, and when a file that was named does not exist: a mistyped name would open the service.
    """
    file = find_keys(path)
    ring = KeyRing(file, os.environ.get(KEY_VARIABLE, ""))
    if (path or os.environ.get(FILE_VARIABLE)) and not file.exists():
        raise FaceletError(
            f"no file of API keys {file}; make one: facelet serve --keys {file} --new-key NAME --scope read"
        )
    return ring


class KeyRing:
    """The valid keys, read again when the file changes. Thread-safe.

    Raises FaceletError when the file or the environment's key is wrong, and when the file has no key or cannot be reached; later
    mistakes in the file keep the keys that were read.
    """

    def __init__(self, file: Path | None = None, environment: str = "") -> None:
        if environment and len(environment) < SHORTEST:
            raise FaceletError(
                f"{KEY_VARIABLE} has {len(environment)} characters; expected at least {SHORTEST} random ones"
            )
        self._fixed = [Key("environment", frozenset(SCOPES), _digest(environment))] if environment else []
        self._file = file
        self._changed = self._change_of_file()
        self._read = read_keys(file) if file and self._changed else []
        if self._changed and not self._read:
            raise FaceletError(
                f"{file} has no API key; make one with --new-key NAME, or delete the file to serve without keys"
            )
        self._looked = time.monotonic()
        self._lock = threading.Lock()
        self.required = bool(self._fixed or self._read)
        """Whether there were keys at the start. Deleting all of them later opens nothing."""

    def find(self, secret: str) -> Key | None:
        """The key of a secret, or None. The time does not depend on the secret's characters."""
        self._refresh()
        digest, found = _digest(secret), None
        for key in (*self._fixed, *self._read):
            if hmac.compare_digest(key.digest, digest):
                found = key
        return found

    def _refresh(self) -> None:
        with self._lock:
            if self._file is None or time.monotonic() - self._looked < EVERY:
                return
            self._looked = time.monotonic()
            try:
                changed = self._change_of_file()
                if changed == self._changed:
                    return
                self._changed = changed
                self._read = read_keys(self._file) if changed else []
            except FaceletError as error:
                log.error("%s; the keys that were read before stay valid", error)

    def _change_of_file(self) -> tuple[int, int] | None:
        """Time of the last change and size of the file; None when it does not exist. Raises FaceletError if it is unreachable."""
        try:
            state = self._file.stat() if self._file else None
        except FileNotFoundError:
            state = None
        except OSError as error:
            raise FaceletError(f"cannot read {self._file}: {error.strerror}") from None
        return (state.st_mtime_ns, state.st_size) if state else None


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
