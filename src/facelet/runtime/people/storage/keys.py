"""Keys of encrypted galleries: made, stored in a file, and read from a file or the environment.

>>> make_key_file(Path("gallery.key"))
>>> find_key("gallery.key")  # else $FACELET_GALLERY_KEY, which holds the same text

A key is 32 random bytes, written as 44 characters of URL-safe base64. Messages never show it.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import stat
import warnings
from pathlib import Path

from facelet.errors import FaceletError, FaceletWarning
from facelet.io import files

VARIABLE = "FACELET_GALLERY_KEY"
BYTES = 32
LIMIT = 1024
"""Maximum size of a key file in bytes."""


def make_key_file(path: Path) -> None:
    """Writes a new key to a new file that only its owner can read. Raises FaceletError if the file exists."""
    text = base64.urlsafe_b64encode(secrets.token_bytes(BYTES)) + b"\n"
    try:
        # O_EXCL: a key that is overwritten cannot open its galleries again.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
    except FileExistsError:
        raise FaceletError(f"{path} exists, and is not overwritten: it may be the only key of a gallery") from None
    except (OSError, ValueError) as error:
        raise FaceletError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from None


def find_key(file: str | Path = "") -> bytes | None:
    """Returns the key in ``file``, else the one in $FACELET_GALLERY_KEY, else None. Raises FaceletError as ``read_key`` does."""
    if file:
        return read_key(file)
    named = os.environ.get(VARIABLE, "")
    return _decoded(named.encode(errors="replace"), f"${VARIABLE}") if named else None


def read_key(file: str | Path) -> bytes:
    """Returns the key in a file. Raises FaceletError if it cannot be read or has none. Warns if other users can read it."""
    text = files.read_bytes(file, LIMIT)
    if os.name == "posix" and os.stat(file).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        message = f"other users may read the key {str(file)!r}; change that: chmod 600 {file}"
        warnings.warn(message, FaceletWarning, stacklevel=2)
    return _decoded(text, str(file))


def _decoded(text: bytes, place: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), b"-_", validate=True)
    except binascii.Error:
        key = b""
    if len(key) != BYTES:
        raise FaceletError(f"{place} has no gallery key; make one with: facelet gallery key FILE")
    return key
