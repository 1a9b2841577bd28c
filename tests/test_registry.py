from __future__ import annotations

import pytest

from facelet.errors import FaceletError
from facelet.registry import Registry


def test_a_registry_registers_once_and_explains_what_it_lacks():
    things: Registry[int] = Registry("thing")
    things.register("one")(1)
    assert things["one"] == 1
    assert "one" in things
    assert list(things) == ["one"]
    with pytest.raises(ValueError, match="registered twice"):
        things.register("one")(2)
    with pytest.raises(FaceletError, match="did you mean 'one'"):
        things["onee"]
