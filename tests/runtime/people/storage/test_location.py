"""Where a gallery lies, and that a password is never shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facelet.errors import FaceletError
from facelet.runtime.people.storage import location
from facelet.runtime.people.storage.location import DatabaseUrl, find


def test_a_file(tmp_path, monkeypatch):
    monkeypatch.delenv("FACELET_GALLERY", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert find().name == "gallery.db"
    assert "facelet" in find().parts
    monkeypatch.setenv("FACELET_GALLERY", "team.db")
    assert find() == Path("team.db")
    assert find("mine.db") == Path("mine.db")
    assert find(Path("mine.db")) == Path("mine.db")


def test_a_database(monkeypatch):
    url = "postgresql://anna@db.example/faces"
    assert str(find(url)) == url
    assert find(find(url)) == find(url)
    assert find(url).secret == url
    monkeypatch.setenv("FACELET_GALLERY", "postgres:///faces")
    assert str(find()) == "postgres:///faces"


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("postgresql://anna:s3cret@db.example:5433/faces", "postgresql://anna:***@db.example:5433/faces"),
        ("postgresql://anna:s3cret@a:1,b:2/faces?target_session_attrs=any", None),
        ("postgresql://anna:s3%63ret%2F@[::1]/faces", "postgresql://anna:***@[::1]/faces"),
        ("postgresql://db/faces?user=anna&password=s3cret&sslmode=require", None),
        ("postgresql://db/faces?user=anna&PASSWORD=s3cret", None),
        ("postgresql://db/faces?pass%77ord=s3cret", None),
        ("postgresql://db/faces?sslpassword=s3cret", None),
        ("postgresql://:s3cret@/faces?host=/run/postgresql", "postgresql://:***@/faces?host=/run/postgresql"),
    ],
)
def test_a_password_is_never_shown(url, text):
    found = find(url)
    for shown in (str(found), repr(found), f"{found}", location.shown(url)):
        assert "s3" not in shown
        assert "***" in shown
        assert text is None or shown == text
    scrubbed = found.scrubbed('could not connect:\n  "s3cret" or "s3%63ret%2F" or "s3cret/"')
    assert "\n" not in scrubbed
    assert url.partition("s3")[2][:3] not in scrubbed or "%63" in url


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://anna:s3@cret@db/faces",
        "postgresql://anna:s3/cret@db/faces",
        "postgresql://anna:s3?cret@db/faces",
        "postgresql://anna:s3#cret@db/faces",
        "postgresql://anna:s3cret@db/faces#s3cret",
        "postgresql://anna:s3 cret@db/faces",
        "postgresql://anna:s3cret@db/faces\n",
        "postgresql://anna:s3cret@[::1/faces",
        "postgresql:/anna:s3cret@db/faces",
        Path("postgresql://anna:s3cret@db/faces"),
    ],
)
def test_a_url_whose_password_may_end_elsewhere_is_not_quoted(url):
    with pytest.raises(FaceletError, match=r"not shown: it may contain a password.*%XX") as caught:
        find(url)
    assert "s3" not in str(caught.value)
    assert location.shown(str(url)) == "postgresql://***"


@pytest.mark.parametrize("scheme", ["mysql", "postgresql+psycopg", "PostgreSQL"])
def test_another_scheme_is_no_file(scheme):
    with pytest.raises(FaceletError, match=r"starts with '.*'; expected postgresql://, or a file") as caught:
        find(f"{scheme}://anna:s3cret@db/faces")
    assert "s3cret" not in str(caught.value)


@settings(max_examples=300, deadline=None)
@given(st.text(min_size=4, max_size=20))
def test_no_text_as_a_password_is_shown(password):
    url = f"postgresql://u:{password}@h/d"
    try:
        shown = str(DatabaseUrl(url))
    except FaceletError as error:
        shown = str(error)
        assert "%XX" in shown
    else:
        assert shown == "postgresql://u:***@h/d"
