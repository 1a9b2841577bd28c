from __future__ import annotations

import pytest
from pydantic import ValidationError

import facelet.shrink  # noqa: F401  (registers the steps)
from facelet.step import STEPS

TINY = {"of": "large", "round_to": 2, "batch": 32, "precision": "fp32", "epochs": 0.5}


def step(**fields):
    return STEPS["prune"].model_validate({"do": "prune", "as": "small", **TINY, **fields})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"ratio": 1.0}, "less than 1"),
        ({"ratio": 0.0}, "greater than 0"),
        ({}, "exactly one budget of ratio, params, bytes, macs, latency_ms; got none"),
        ({"ratio": 0.5, "params": 0.5}, "got ratio and params"),
        ({"params": 1}, "neither a share below 1 nor a number above"),
        ({"of": None, "net": "resnet18", "ratio": 0.5}, "needs `of`"),
        ({"ratio": 0.5, "score": "l3"}, "'l2', 'l1', 'bn', 'taylor' or 'random'"),
        ({"ratio": 0.5, "rounds": 0}, "greater than or equal to 1"),
    ],
)
def test_what_makes_no_sense_is_refused_when_it_is_read(fields, message):
    with pytest.raises(ValidationError, match=message):
        step(**fields)
