"""`facelet gallery retention`, `copy` and `key`: what they print, and where faces can be moved."""

from __future__ import annotations

import io

import pytest
from gallery_fixtures import KEY, add
from rich.console import Console

from facelet.cli import gallery as commands
from facelet.errors import FaceletError
from facelet.runtime.people.gallery import Gallery
from facelet.runtime.people.storage.keys import read_key
from facelet.runtime.people.store import EmbeddingStore


def said(act, *arguments, **options):
    console = Console(file=io.StringIO(), width=100)
    act(*arguments, console=console, **options)
    return console.file.getvalue()


@pytest.fixture
def plain(tmp_path):
    store = EmbeddingStore(tmp_path / "plain.db", create=True)
    add(store, "Anna", 2)
    add(store, "Berta", 1, seed=1)
    store.close()
    return tmp_path / "plain.db"


def names(place, key=None):
    store = EmbeddingStore(place, key=key)
    try:
        return [(person.name, person.faces) for person in store.people()]
    finally:
        store.close()


def test_retention(plain):
    with Gallery(plain) as gallery:
        assert said(commands.set_retention, gallery, "") == f"faces are kept until they are removed; {plain}\n"
        assert said(commands.set_retention, gallery, "30d") == f"faces are kept for 30 days; {plain}\n"
        assert said(commands.set_retention, gallery, "") == f"faces are kept for 30 days; {plain}\n"
        assert said(commands.set_retention, gallery, "off").startswith("faces are kept until they are removed")


def test_encrypt_change_the_key_and_decrypt(plain, tmp_path, capsys):
    pytest.importorskip("cryptography", reason="cryptography is not installed (extra encrypt)")
    first, second = tmp_path / "first.key", tmp_path / "second.key"
    for key in (first, second):
        commands.key(str(key))
    assert str(first) in capsys.readouterr().out.replace("\n", "")
    sealed, rotated, back = (tmp_path / name for name in ("sealed.db", "rotated.db", "back.db"))
    copied = said(commands.copy_gallery, str(plain), str(sealed), gallery_key=str(first))
    assert copied == f"3 faces copied; {plain} -> {sealed}\n"
    assert b"Berta" not in sealed.read_bytes()
    with pytest.raises(FaceletError, match=r"is encrypted; give its key .*copy: --source-key FILE"):
        said(commands.copy_gallery, str(sealed), str(rotated), gallery_key=str(second))
    options = {"source_key": str(first), "gallery_key": str(second)}
    said(commands.copy_gallery, str(sealed), str(rotated), **options)
    with pytest.raises(FaceletError, match="another key"):
        names(rotated, read_key(first))
    assert names(rotated, read_key(second)) == [("Anna", 2), ("Berta", 1)]
    said(commands.copy_gallery, str(rotated), str(back), source_key=str(second))
    assert names(back) == [("Anna", 2), ("Berta", 1)]
    with pytest.raises(FaceletError, match="has enrolled people; copy into a new gallery"):
        said(commands.copy_gallery, str(plain), str(back))


def test_the_key_of_the_environment_is_not_used_by_copy(plain, tmp_path, monkeypatch):
    monkeypatch.setenv("FACELET_GALLERY_KEY", KEY.hex())
    said(commands.copy_gallery, str(plain), str(tmp_path / "copy.db"))
    assert names(tmp_path / "copy.db") == [("Anna", 2), ("Berta", 1)]


def test_to_a_database_and_back(plain, tmp_path, postgres_url):
    copied = said(commands.copy_gallery, str(plain), postgres_url.secret)
    assert copied == f"3 faces copied; {plain} -> {postgres_url}\n"
    assert names(postgres_url) == [("Anna", 2), ("Berta", 1)]
    said(commands.copy_gallery, postgres_url.secret, str(tmp_path / "back.db"))
    assert names(tmp_path / "back.db") == [("Anna", 2), ("Berta", 1)]


def test_without_a_source_no_target_is_made(tmp_path):
    with pytest.raises(FaceletError, match="no gallery"):
        said(commands.copy_gallery, str(tmp_path / "gone.db"), str(tmp_path / "new.db"))
    assert list(tmp_path.iterdir()) == []
