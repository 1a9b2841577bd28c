from __future__ import annotations

import pytest

from facelet.errors import FaceletError
from facelet.faces import SOURCES, load, parse_source


def test_written_form():
    assert parse_source("ferplus:/a/b.zip?rule=probability&unreadable=skip") == (
        "ferplus",
        "/a/b.zip",
        {"rule": "probability", "unreadable": "skip"},
    )
    assert parse_source("toy") == ("toy", "", {})
    assert parse_source("folder:C:\\faces") == ("folder", "C:\\faces", {})


def test_every_source_takes_size_and_channels():
    for name in SOURCES:
        assert {"size", "channels"} <= set(SOURCES[name].__kwdefaults__)


def test_a_mapping_says_the_same(lay_out):
    folder = lay_out([f"{name}/{number}.png" for name in "ab" for number in range(10)])
    one = load(f"folder:{folder}?val=0.2&classes=b,a", size=32)
    other = load({"source": "folder", "path": folder, "val": 0.2, "classes": ["b", "a"], "size": 32})
    assert one.protocol == other.protocol
    assert one.size == other.size == 32


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("ferpuls:a.zip", "unknown face source 'ferpuls', did you mean 'ferplus'"),
        ("ferplus:a.zip?rul=majority", "unknown option of face source 'ferplus' 'rul', did you mean 'rule'"),
        ("ferplus", "needs a path: ferplus:PATH"),
        ("ferplus:a.zip?rule", "options are written"),
        ("ckplus:a.zip?fold=two", "fold='two' should be a whole number"),
        ("folder:a?val=some", "val='some' should be a number"),
        ({"source": "folder", "path": "a", "size": 4}, "size=4 should be 8 to 4096"),
        ({"source": "folder", "path": "a", "channels": 2}, "channels=2 should be 1"),
        ({"path": "a"}, "unknown face source ''"),
    ],
)
def test_mistakes(source, message):
    with pytest.raises(FaceletError, match=message):
        load(source)


def test_a_bare_path_is_told_what_to_type(tmp_path):
    with pytest.raises(FaceletError, match=f"say what .* is: folder:{tmp_path}"):
        load(str(tmp_path))
