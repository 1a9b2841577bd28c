from __future__ import annotations

import pytest
from pydantic import ValidationError


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"epochs": 0}, "greater than 0"),
        ({"minutes": 0}, "greater than 0"),
        ({}, "either epochs or minutes"),
        ({"epochs": 1, "minutes": 1}, "either epochs or minutes"),
        ({"epochs": 1, "net": None, "net_options": {}}, "give one of net"),
        ({"epochs": 1, "widths_of": "pruned"}, "give one of net"),
        ({"epochs": 1, "checkpoint": "net.safetensors"}, "give one of net"),
        ({"epochs": 1, "net": None, "widths_of": "pruned"}, "net_options apply only with net"),
        ({"epochs": 1, "augment": {"shfit": 0.1}}, "did you mean 'shift'"),
        ({"epochs": 1, "augment": -1}, "strength between 0"),
        ({"epochs": 1, "lr": 0}, "greater than 0"),
        ({"epochs": 1, "tau": 2}, "tau applies only with balance: logit-adjustment, not with none"),
        ({"epochs": 1, "balance": "balanced-softmax", "tau": 2}, "not with balanced-softmax"),
        ({"epochs": 1, "balance": "balanced-softmax", "loss": "margin"}, "cannot be used with the loss margin"),
    ],
)
def test_fields_that_cannot_be_meant(step, fields, message):
    with pytest.raises(ValidationError, match=message):
        step(**fields)


def test_a_loss_that_is_not_there_is_refused(step):
    with pytest.raises(ValidationError, match="unknown loss 'margins', did you mean 'margin'"):
        step(epochs=1, loss="margins")
