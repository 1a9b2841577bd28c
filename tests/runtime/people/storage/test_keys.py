"""Keys: made once, for their owner, read from a file or the environment, and never shown."""

from __future__ import annotations

import base64
import os
import stat

import pytest

from facelet.errors import FaceletError, FaceletWarning
from facelet.runtime.people.storage import keys


@pytest.fixture(autouse=True)
def no_key_around(monkeypatch):
    monkeypatch.delenv("FACELET_GALLERY_KEY", raising=False)


def test_a_new_key(tmp_path, monkeypatch):
    path = tmp_path / "g.key"
    keys.make_key_file(path)
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key = keys.find_key(path)
    assert len(key) == 32
    assert keys.read_key(str(path)) == key
    monkeypatch.setenv("FACELET_GALLERY_KEY", path.read_text())
    assert keys.find_key() == key
    keys.make_key_file(tmp_path / "other.key")
    assert keys.find_key(tmp_path / "other.key") != key


def test_no_key_is_none():
    assert keys.find_key() is None


def test_a_key_is_never_overwritten(tmp_path):
    path = tmp_path / "g.key"
    keys.make_key_file(path)
    before = path.read_bytes()
    with pytest.raises(FaceletError, match="exists, and is not overwritten"):
        keys.make_key_file(path)
    assert path.read_bytes() == before
    with pytest.raises(FaceletError, match=r"cannot write .*: No such file"):
        keys.make_key_file(tmp_path / "gone" / "g.key")


@pytest.mark.parametrize(
    "text", ["", "hunter2hunter2", "\0" * 44, "x" * 500, base64.b64encode(b"short").decode(), "ü" * 22]
)
def test_what_is_no_key(tmp_path, monkeypatch, text):
    path = tmp_path / "g.key"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(
        FaceletError, match=r"g.key has no gallery key; make one with: facelet gallery key FILE"
    ) as caught:
        keys.find_key(path)
    assert not text or text not in str(caught.value)
    if text and "\0" not in text:
        monkeypatch.setenv("FACELET_GALLERY_KEY", text)
        with pytest.raises(FaceletError, match=r"\$FACELET_GALLERY_KEY has no gallery key") as caught:
            keys.find_key()
        assert text not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path):
    for path, says in ((tmp_path / "gone", "cannot read"), (tmp_path, "is not a file")):
        with pytest.raises(FaceletError, match=says):
            keys.find_key(path)
    (tmp_path / "large").write_bytes(bytes(10**6))
    with pytest.raises(FaceletError, match="more than Facelet's limit"):
        keys.find_key(tmp_path / "large")


@pytest.mark.skipif(os.name != "posix", reason="file modes")
def test_a_key_that_others_may_read_is_warned_of(tmp_path):
    path = tmp_path / "g.key"
    keys.make_key_file(path)
    path.chmod(0o644)
    with pytest.warns(FaceletWarning, match="other users may read .* chmod 600"):
        keys.find_key(path)
