"""Texts of what enrolling and identifying return."""

from __future__ import annotations

import pytest

from facelet.runtime.people.results import Lookalike


@pytest.mark.parametrize(("photo", "shown"), [("anna.jpg", "anna.jpg"), ("", "this face")])
def test_a_lookalike_is_told(photo, shown):
    told = str(Lookalike(photo, "Berta", 0.6095))
    assert told == f"{shown} looks like 'Berta', who is already enrolled (score 0.610)"
