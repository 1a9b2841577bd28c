from __future__ import annotations

import pytest

from facelet.errors import FaceletError
from facelet.recipes.runner import Hardware


@pytest.mark.parametrize(
    ("wish", "message"),
    [({"device": "cudaa"}, "'cuda'"), ({"precision": "fp64"}, "precision"), ({"devices": 0}, "at least one")],
)
def test_hardware_that_no_machine_has_is_refused_at_once(wish, message):
    with pytest.raises(FaceletError, match=message):
        Hardware(**wish)
