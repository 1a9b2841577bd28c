"""What is a name, and times that sort as text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facelet.errors import FaceletError
from facelet.runtime.people.enrolled import EnrolledFace, checked_name, parsed_time, timestamp, unseen


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "is empty; expected 1 to 200"),
        (" \t\n ", "is empty"),
        ("x" * 201, "has 201 characters; expected at most 200"),
        ("x" * 10**6, r"the name 'x{20}'\.\.\. has 1000000"),
        ("a\nb", r"has the control character '\\n'"),
        ("a\x00b", r"'\\x00'"),
        ("a\x1b[31mb", r"'\\x1b'"),
        ("a\u202eb", r"'\\u202e'"),
        ("a\u2028b", r"'\\u2028'"),
        ("a\udcffb", r"'\\udcff'"),
    ],
)
def test_what_is_no_name(name, says):
    with pytest.raises(FaceletError, match=says):
        checked_name(name)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=220))
def test_a_checked_name_is_checked_for_good(name):
    try:
        clean = checked_name(name)
    except FaceletError as error:
        str(error).encode()
    else:
        assert checked_name(clean) == clean
        clean.encode()


def test_composed_and_decomposed_are_one_name():
    assert checked_name("Zoe\u0308") == checked_name("Zo\u00eb")


def test_times_of_any_zone_sort_as_text():
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert timestamp(noon) == "2026-03-01T12:00:00+00:00"
    assert timestamp(noon.astimezone(timezone(timedelta(hours=9)))) == timestamp(noon)
    assert timestamp(noon) < timestamp(noon + timedelta(seconds=1))
    assert parsed_time(timestamp(noon)) == noon == parsed_time("2026-03-01T12:00:00")
    with pytest.raises(FaceletError, match="was enrolled at 'soon'; expected a time such as"):
        parsed_time("soon")


def test_unseen_faces():
    faces = [EnrolledFace("Anna", f"{number}.png", "", np.full(4, number % 3, np.float32)) for number in range(6)]
    assert [face.photo for face in unseen([], faces)] == ["0.png", "1.png", "2.png"]
    assert [face.photo for face in unseen(faces[4:5], faces)] == ["0.png", "2.png"]
    assert unseen(faces, faces) == []
