"""Sealed bytes: authentic or refused; each with its own nonce; one key of many galleries."""

from __future__ import annotations

import pytest
from gallery_fixtures import KEY

pytest.importorskip("cryptography", reason="cryptography is not installed (extra encrypt)")

from facelet.errors import FaceletError
from facelet.runtime.people.storage import encryption
from facelet.runtime.people.storage.encryption import Cipher, SealError

SALT = bytes(16)


def test_what_was_sealed_is_opened():
    cipher = Cipher(KEY, SALT)
    assert cipher.open(cipher.seal(b"text", b"context"), b"context") == b"text"
    assert Cipher(KEY, SALT).open(cipher.seal(b"", b""), b"") == b""


def test_as_the_library_derives_and_seals():
    """A second derivation, by hand: HKDF (RFC 5869) with HMAC-SHA256, AES-256-GCM of the derived key."""
    import hashlib
    import hmac

    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    extracted = hmac.digest(SALT, KEY, hashlib.sha256)
    derived = {
        purpose: hmac.digest(extracted, b"facelet gallery 1: " + purpose + b"\x01", hashlib.sha256)
        for purpose in (b"seal", b"names")
    }
    sealed = Cipher(KEY, SALT).seal(b"text", b"context")
    assert AESGCM(derived[b"seal"]).decrypt(sealed[:12], sealed[12:], b"context") == b"text"
    assert Cipher(KEY, SALT).alias("Zoë") == hmac.digest(derived[b"names"], "Zoë".encode(), hashlib.sha256).hex()


def test_what_was_changed_is_refused():
    cipher = Cipher(KEY, SALT)
    sealed = cipher.seal(b"text", b"context")
    others = [bytes([*sealed[:at], sealed[at] ^ 1, *sealed[at + 1 :]]) for at in range(len(sealed))]
    for other in (*others, sealed[:-1], sealed + b"\0", b"", b"short"):
        with pytest.raises(SealError):
            cipher.open(other, b"context")
    with pytest.raises(SealError):
        cipher.open(sealed, b"another")
    for stranger in (Cipher(bytes(32), SALT), Cipher(KEY, b"1" * 16)):
        with pytest.raises(SealError):
            stranger.open(sealed, b"context")


def test_no_nonce_is_used_twice():
    cipher = Cipher(KEY, SALT)
    sealed = [cipher.seal(b"text", b"") for _ in range(5000)]
    assert len({text[:12] for text in sealed}) == len(sealed)
    assert len({text[12:] for text in sealed}) == len(sealed)


def test_the_settings_of_a_gallery_tell_a_wrong_key():
    settings = encryption.new_settings(KEY)
    assert Cipher.of(settings, KEY) is not None
    assert Cipher.of(settings, bytes(32)) is None
    assert KEY.hex() not in str(settings)
    other = encryption.new_settings(KEY)
    assert settings["salt"] != other["salt"]
    first, second = Cipher.of(settings, KEY), Cipher.of(other, KEY)
    assert first.alias("Anna") != second.alias("Anna")
    assert first.alias("Anna") == Cipher.of(settings, KEY).alias("Anna")
    with pytest.raises(ValueError, match="hexadecimal"):
        Cipher.of({**settings, "salt": "x"}, KEY)


def test_without_the_library(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    with pytest.raises(FaceletError, match=r"needs cryptography: .*\[encrypt\]"):
        Cipher(KEY, SALT)
