from __future__ import annotations

import numpy as np
import pytest

from facelet.errors import FaceletError
from facelet.faces import SOURCES, load, parse_source
from facelet.io import pixels


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


def test_any_source_cuts_its_faces_closer_or_draws_their_edges_out(lay_out):
    folder = lay_out([f"{name}/{number}.png" for name in "ab" for number in range(10)])
    whole = load(f"folder:{folder}")
    closer = load(f"folder:{folder}?margin=-0.125")
    edge = whole.size // 8
    assert (whole.margin, closer.margin) == (0, -0.125)
    assert closer.images.shape[1:] == whole.images.shape[1:]  # of the middle, at the size that was there
    shrunk = load({"source": "folder", "path": folder, "margin": 0.5}, size=whole.size)
    assert shrunk.margin == 0.5
    for row in range(3):
        middle = whole.images[row, edge:-edge, edge:-edge]
        np.testing.assert_array_equal(closer.images[row], pixels.resize(middle, whole.size))
        wide = np.pad(whole.images[row], [(whole.size // 2,) * 2] * 2 + [(0, 0)], mode="edge")
        np.testing.assert_array_equal(shrunk.images[row], pixels.resize(wide, whole.size))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("ferpuls:a.zip", "unknown face source 'ferpuls', did you mean 'ferplus'"),
        ("ferplus:a.zip?rul=majority", "unknown option of face source 'ferplus' 'rul', did you mean 'rule'"),
        ("ferplus", "needs a path: ferplus:PATH"),
        ("ferplus:a.zip?rule", "options are written"),
        ("ckplus:a.zip?fold=two", "fold='two' should be a whole number"),
        ("folder:a?val=some", "val='some' should be a number"),
        ("folder:a?margin=wide", "margin='wide' should be a number"),
        ("folder:a?margin=-0.5", "margin=-0.5 should be -0.4 to 1"),
        ({"source": "folder", "path": "a", "size": 4}, "size=4 should be 8 to 4096"),
        ({"source": "folder", "path": "a", "channels": 2}, "channels=2 should be 1"),
        ({"path": "a"}, "unknown face source ''"),
    ],
)
def test_mistakes(source, message):
    with pytest.raises(FaceletError, match=message):
        load(source)


def test_a_bare_path_is_told_what_to_type(tmp_path):
    with pytest.raises(FaceletError, match=f"has no source name, expected folder:{tmp_path}"):
        load(str(tmp_path))
