"""What the commands on photos print alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from facelet.cli.printing import print_training_notes, require_one, short_names, with_progress
from facelet.errors import FaceletError
from facelet.runtime.media.predictions import Prediction


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (["holiday/a.jpg", "holiday/b.jpg"], ["a.jpg", "b.jpg"]),
        (["a.jpg"], ["a.jpg"]),
        (["x/one/a.jpg", "x/b.jpg"], ["one/a.jpg", "b.jpg"]),
        (["/x/a.jpg", "b.jpg"], ["/x/a.jpg", "b.jpg"]),
    ],
)
def test_short_names(names, short):
    assert short_names(names) == short


def test_there_is_no_bar_where_nobody_watches():
    results = iter([1, 2, 3])
    assert with_progress(results, 3) is results


def test_one_photo_that_was_read_is_enough():
    good, bad = Prediction(Path("a.jpg")), Prediction(Path("b.jpg"), error="b.jpg: torn")
    require_one([bad, good])
    with pytest.raises(FaceletError, match=r"^b\.jpg: torn$"):
        require_one([bad])
    with pytest.raises(FaceletError, match=r"^none of the 2 photos can be read; b\.jpg: torn$"):
        require_one([bad, bad])


@pytest.mark.parametrize("notes", [None, 3, ["split by hand"]])
def test_a_protocol_without_the_note_prints_nothing(make_info, capsys, notes):
    print_training_notes(make_info(protocol={"notes": notes}))
    assert capsys.readouterr() == ("", "")
