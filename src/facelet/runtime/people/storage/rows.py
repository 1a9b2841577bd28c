"""A face as a row of a SQLite table: plain, or sealed so that neither name, photo nor vector can be read without the key.

Both kinds use the same columns ``name, embedding, photo, enrolled``. In a sealed row, ``name`` is a keyed hash, ``embedding`` is
the encrypted name, photo and vector, and ``photo`` is empty. Time and model are not encrypted, but authenticated: a sealed row
cannot be moved to another person, date, model or gallery.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np

from facelet.errors import FaceletError
from facelet.runtime.people.enrolled import EnrolledFace
from facelet.runtime.people.storage import encryption, keys

PADDED = 64
"""Name and photo are padded to a multiple of this, so that the length of a row does not tell the length of the name."""

_OPTIONS = f"--gallery-key FILE or {keys.VARIABLE}"

Row = tuple[str, bytes, str, str]
"""name, embedding, photo, enrolled"""


class Rows(Protocol):
    """Converts faces to rows and back. ``model`` is the SHA-256 of the model file."""

    def key(self, name: str) -> str:
        """What the column ``name`` holds for this name."""

    def pack(self, face: EnrolledFace, model: str) -> Row:
        """The row of a face."""

    def unpack(self, row: Row, model: str) -> Row:
        """Name, little-endian float32 vector, photo and time of a row. Raises SealError if a sealed row is not authentic."""


class PlainRows:
    """Rows that hold faces as they are."""

    def key(self, name: str) -> str:
        return name

    def pack(self, face: EnrolledFace, model: str) -> Row:
        return face.name, _bytes(face), face.photo, face.enrolled

    def unpack(self, row: Row, model: str) -> Row:
        return row


class SealedRows:
    """Encrypted rows."""

    def __init__(self, cipher: encryption.Cipher) -> None:
        self._cipher = cipher

    def key(self, name: str) -> str:
        return self._cipher.alias(name)

    def pack(self, face: EnrolledFace, model: str) -> Row:
        alias = self.key(face.name)
        head = json.dumps([face.name, face.photo]).encode()
        head = head.ljust(-(-len(head) // PADDED) * PADDED)
        return (
            alias,
            self._cipher.seal(head + b"\n" + _bytes(face), _context(alias, face.enrolled, model)),
            "",
            face.enrolled,
        )

    def unpack(self, row: Row, model: str) -> Row:
        alias, sealed, _, enrolled = row
        head, _, vector = self._cipher.open(sealed, _context(alias, enrolled, model)).partition(b"\n")
        name, photo = json.loads(head)
        return name, vector, photo, enrolled


def rows_of(file: Path, settings: Mapping[str, str], key: bytes | None) -> Rows:
    """The kind of rows that a gallery's settings name.

    Raises FaceletError if the gallery is encrypted and the key is missing or wrong, and if a key is given for a gallery that is not
    encrypted, because its owner believes that it is.
    """
    if encryption.SALT not in settings:
        if key is not None:
            raise FaceletError(
                f"a key is given, but the gallery {file} is not encrypted; give none ({_OPTIONS}), or encrypt a copy: "
                f"facelet gallery copy {file} NEW --gallery-key FILE"
            )
        return PlainRows()
    if key is None:
        raise FaceletError(f"the gallery {file} is encrypted; give its key ({_OPTIONS}; copy: --source-key FILE)")
    cipher = encryption.Cipher.of(settings, key)
    if cipher is None:
        raise FaceletError(f"the gallery {file} was encrypted with another key; give that one ({_OPTIONS})")
    return SealedRows(cipher)


def _bytes(face: EnrolledFace) -> bytes:
    return np.asarray(face.vector, "<f4").tobytes()


def _context(alias: str, enrolled: str, model: str) -> bytes:
    return "\n".join((alias, enrolled, model)).encode()
