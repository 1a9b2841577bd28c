from __future__ import annotations

from types import SimpleNamespace

import pytest

from facelet.errors import FaceletError
from facelet.faces.sources.listing import common_top, label_set, shared_top

ARCHIVE = SimpleNamespace(path="faces.zip")


def test_classes_are_those_found_in_order_of_names_or_numbers():
    assert label_set(ARCHIVE, ["joy", "anger", "joy"], "") == ("anger", "joy")
    assert label_set(ARCHIVE, ["10", "9", "9"], "") == ("9", "10")
    assert label_set(ARCHIVE, ["10", "9", "x"], "") == ("10", "9", "x")


def test_classes_that_are_given_keep_their_order():
    assert label_set(ARCHIVE, ["joy"], "joy, anger") == ("joy", "anger")
    for wrong in ("joy,,anger", "joy,joy"):
        with pytest.raises(FaceletError, match="names with commas between them, each once"):
            label_set(ARCHIVE, ["joy"], wrong)
    with pytest.raises(
        FaceletError, match=r"faces.zip: unknown label 'angr' \(2 faces\), did you mean 'anger'\?"
    ) as said:
        label_set(ARCHIVE, ["angr", "joy", "angr", "odd"], "joy,anger")
    assert "also unknown: 'odd'" in str(said.value)


@pytest.mark.parametrize(
    ("files", "top", "shared"),
    [
        (["a/b/joy/1.png", "a/b/fear/1.png"], "a/b/", "a/b/"),
        (["joy/1.png", "fear/1.png"], "", ""),
        (["a/train/joy/1.png", "a/train/fear/1.png"], "a/train/", "a/"),
        (["a/b/joy/1.png", "a/c/fear/1.png"], "a/", "a/"),
        (["a/joy/1.png", "a/2.png"], "", ""),
        ([], "", ""),
    ],
)
def test_folders_that_hold_everything_are_passed_through(files, top, shared):
    assert common_top(files) == top
    assert shared_top(files) == shared
