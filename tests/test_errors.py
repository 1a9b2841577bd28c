"""Errors name the thing, its value and the nearest valid choice."""

from __future__ import annotations

import pytest

from facelet.errors import FaceletError, nearest, unknown
from facelet.registry import Registry


def test_unknown_names_the_nearest_and_all():
    error = unknown("net", "resnet81", ["shufflenet-v2", "resnet18"])
    assert str(error) == "unknown net 'resnet81', did you mean 'resnet18'? (one of: resnet18, shufflenet-v2)"


def test_nothing_near_lists_all_the_same():
    assert nearest("zzz", ["resnet18"]) is None
    assert str(unknown("net", "zzz", ["resnet18"])) == "unknown net 'zzz'; (one of: resnet18)"


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
