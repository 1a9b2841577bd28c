from __future__ import annotations

import time

import pytest
import yaml

from facelet.io.yaml_limits import DEEPEST, beyond_limits


def test_what_recipes_have_is_accepted():
    assert beyond_limits("a: {b: [1, {c: 2}]}\nd: x\n") == ""
    assert beyond_limits("\n".join(f"k{number}: [[1], [2]]" for number in range(200))) == "", "many, but not deep"
    assert beyond_limits("[" * DEEPEST + "]" * DEEPEST) == ""


@pytest.mark.parametrize(
    "text", ["[" * 900_000, "{" * 900_000, "[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), "- " * 5000 + "a"]
)
def test_deep_nesting_is_refused_at_once(text):
    start = time.process_time()
    assert beyond_limits(text) == f"is nested more than {DEEPEST} levels deep"
    assert time.process_time() - start < 2


def test_aliases_are_refused():
    assert beyond_limits("a: &x [1]\nb: *x\n") == "uses YAML aliases (*name)"


def test_what_is_no_yaml():
    with pytest.raises(yaml.YAMLError):
        beyond_limits("a: [1")
