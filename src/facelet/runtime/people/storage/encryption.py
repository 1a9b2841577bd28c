"""Encryption of a gallery's faces with AES-256-GCM, by the library ``cryptography``.

>>> settings = new_settings(key)           # stored in the gallery: a salt, and a value that only this key opens
>>> cipher = Cipher.of(settings, key)
>>> cipher.open(cipher.seal(b"text", b"context"), b"context")
b'text'

From the key and the gallery's salt, HKDF-SHA256 derives two keys: one for AES-GCM, and one for HMAC-SHA256, which maps a name to
the text that a row is found by. So galleries with one key share neither nonces nor the texts of a name.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Mapping

from facelet.errors import FaceletError
from facelet.installation import install_command

EXTRA = "encrypt"
SALT = "salt"
CHECK = "key_check"
NONCE = 12
"""Bytes of a random nonce; safe for 2**32 sealed faces of one gallery (NIST SP 800-38D, 8.3)."""
PURPOSE = b"facelet gallery 1: "
"""Separates these derived keys from any others."""


class SealError(Exception):
    """A sealed text was changed, belongs to another context, or was sealed with another key."""


class Cipher:
    """Seals bytes for one gallery.

    Args:
        key: 32 bytes.
        salt: 16 random bytes of this gallery.

    Raises FaceletError if the library is not installed.
    """

    def __init__(self, key: bytes, salt: bytes) -> None:
        try:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        except ImportError:
            raise FaceletError(f"an encrypted gallery needs cryptography: {install_command(EXTRA)}") from None
        self._aead = AESGCM(_derived(key, salt, b"seal"))
        self._names = _derived(key, salt, b"names")

    @classmethod
    def of(cls, settings: Mapping[str, str], key: bytes) -> Cipher | None:
        """The cipher of a gallery's settings; None for a wrong key. Raises ValueError for damaged settings."""
        cipher = cls(key, bytes.fromhex(settings[SALT]))
        try:
            cipher.open(bytes.fromhex(settings.get(CHECK, "")), CHECK.encode())
        except SealError:
            return None
        return cipher

    def seal(self, text: bytes, context: bytes) -> bytes:
        """Encrypts ``text``; it can be opened only with the same ``context``."""
        nonce = os.urandom(NONCE)
        return nonce + self._aead.encrypt(nonce, text, context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Decrypts what ``seal`` returned. Raises SealError if it is not authentic."""
        from cryptography.exceptions import InvalidTag

        try:
            return self._aead.decrypt(sealed[:NONCE], sealed[NONCE:], context)
        except (InvalidTag, ValueError):  # ValueError: too short
            raise SealError from None

    def alias(self, name: str) -> str:
        """A keyed hash of a name in hex, the same for each of its faces."""
        return hmac.digest(self._names, name.encode(), "sha256").hex()


def new_settings(key: bytes) -> dict[str, str]:
    """Settings of a new encrypted gallery: a random salt, and a sealed value to tell a wrong key."""
    salt = os.urandom(16)
    return {SALT: salt.hex(), CHECK: Cipher(key, salt).seal(b"", CHECK.encode()).hex()}


def _derived(key: bytes, salt: bytes, purpose: bytes) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), len(key), salt, PURPOSE + purpose).derive(key)
