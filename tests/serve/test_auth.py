"""API keys: made once, stored as hashes, with scopes; changes of the file; hostile and broken files."""

from __future__ import annotations

import os
import stat
import sys

import pytest

from facelet.errors import FaceletError
from facelet.serve import auth
from facelet.serve.auth import KeyRing, create_key, find_keys, read_keys


def test_a_key_is_found_by_its_secret_only(tmp_path):
    file = tmp_path / "folder" / "keys"
    read, both = create_key(file, "reader", ["read"]), create_key(file, "door", ["enroll", "delete", "enroll"])
    ring = KeyRing(file)
    assert ring.required
    assert ring.find(read).name == "reader"
    assert ring.find(both).scopes == {"enroll", "delete"}
    for wrong in ("", read[:-1], read + "x", read.upper(), "fk_", "ключ", "\ud800"):
        assert ring.find(wrong) is None
    assert read not in file.read_text()
    assert len(set(auth.SCOPES)) == 3


@pytest.mark.skipif(sys.platform == "win32", reason="modes of POSIX")
def test_only_the_owner_can_read_the_file(tmp_path):
    file = tmp_path / "keys"
    create_key(file, "a")
    create_key(file, "b")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_file_that_a_person_edited(tmp_path):
    file = tmp_path / "keys"
    secret = create_key(file, "a", ["read"])
    file.write_text("# phones\n\n" + file.read_text().strip())  # without a final line end
    other = create_key(file, "b", ["read"])
    assert [key.name for key in read_keys(file)] == ["a", "b"]
    assert KeyRing(file).find(secret).name == "a"
    assert KeyRing(file).find(other).name == "b"


@pytest.mark.parametrize("name", ["", "a b", "ä", "a\n", "x" * 65, "a,b", "#a/"])
def test_names(tmp_path, name):
    with pytest.raises(FaceletError, match="expected up to 64 letters"):
        create_key(tmp_path / "keys", name)


def test_mistakes(tmp_path):
    file = tmp_path / "keys"
    create_key(file, "a")
    with pytest.raises(FaceletError, match="has a key 'a'"):
        create_key(file, "a")
    with pytest.raises(FaceletError, match="unknown scope 'raed', did you mean 'read'"):
        create_key(file, "b", ["raed"])


@pytest.mark.parametrize("line", ["a read", "a fly " + "0" * 64, "a read " + "0" * 63, "a read xyz extra", "\x00\xff"])
def test_a_damaged_line_is_named(tmp_path, line):
    file = tmp_path / "keys"
    create_key(file, "good")
    file.write_text(file.read_text() + line + "\n")
    with pytest.raises(FaceletError, match="line 2: expected NAME SCOPE,SCOPE SHA256"):
        KeyRing(file)


def test_a_deleted_line_ends_a_key_without_a_restart(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(auth, "EVERY", 0.0)
    file = tmp_path / "keys"
    secret = create_key(file, "a", ["read"])
    ring = KeyRing(file)
    assert ring.find(secret)
    file.write_text("torn line\n")
    assert ring.find(secret), "a mistake in the file locks nobody out"
    assert "line 1" in caplog.text
    file.write_text("# nobody\n")
    assert ring.find(secret) is None
    later = create_key(file, "b", ["read"])
    assert ring.find(later).name == "b"
    os.unlink(file)
    assert ring.find(later) is None
    assert ring.required, "deleting the keys opens nothing"


def test_the_key_of_the_environment(tmp_path):
    ring = KeyRing(None, "a-long-random-secret-key")
    assert ring.required
    assert ring.find("a-long-random-secret-key").scopes == set(auth.SCOPES)
    with pytest.raises(FaceletError, match="FACELET_API_KEY has 6 characters; expected at least 20"):
        KeyRing(None, "secret")
    assert not KeyRing(tmp_path / "none").required


def test_where_the_file_is(tmp_path, monkeypatch):
    monkeypatch.setenv("FACELET_KEYS", str(tmp_path / "here"))
    assert find_keys() == tmp_path / "here"
    assert find_keys(tmp_path / "there") == tmp_path / "there"
    monkeypatch.delenv("FACELET_KEYS")
    assert find_keys().name == "api-keys"


def test_no_mistake_opens_the_service(tmp_path, monkeypatch):
    """A named file that is not there, a file without keys, and one that cannot be reached."""
    monkeypatch.delenv("FACELET_KEYS", raising=False)
    monkeypatch.delenv("FACELET_API_KEY", raising=False)
    monkeypatch.setattr("platformdirs.user_data_path", lambda app: tmp_path / app)
    assert not auth.open_keys().required
    with pytest.raises(FaceletError, match=r"no file of API keys .*typo; make one: facelet serve --keys"):
        auth.open_keys(tmp_path / "typo")
    monkeypatch.setenv("FACELET_KEYS", str(tmp_path / "typo"))
    with pytest.raises(FaceletError, match="no file of API keys"):
        auth.open_keys()
    (tmp_path / "typo").write_text("# nobody\n")
    with pytest.raises(FaceletError, match="typo has no API key"):
        auth.open_keys()
    monkeypatch.setenv("FACELET_KEYS", str(tmp_path / "typo" / "below-a-file"))
    with pytest.raises(FaceletError, match=r"cannot read .*below-a-file"):
        auth.open_keys()
