from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from facelet.errors import FaceletError
from facelet.step import Hardware, Step, StepContext, StepResult


@pytest.mark.parametrize(
    ("wish", "message"),
    [({"device": "cudaa"}, "'cuda'"), ({"precision": "fp64"}, "precision"), ({"devices": 0}, "at least 1")],
)
def test_hardware_that_no_machine_has_is_refused_at_once(wish, message):
    with pytest.raises(FaceletError, match=message):
        Hardware(**wish)


def test_a_step_needs_what_an_earlier_one_has():
    models = {"int8": StepResult(onnx=Path("a.onnx")), "net": StepResult(net=Path("n"), faces=Path("f"))}
    work = StepContext("student", Path(), None, models)
    assert (work.net_of("net"), work.faces_of("net")) == (Path("n"), Path("f"))
    with pytest.raises(FaceletError, match="'student' needs the weights of 'int8', but that is a model file"):
        work.net_of("int8")


def test_names_and_keys_of_a_step():
    assert Step.model_validate({"do": "x", "as": "student"}).name == "student"
    with pytest.raises(ValidationError, match="reserved for further seeds"):
        Step.model_validate({"do": "x", "as": "student-s1"})
    with pytest.raises(ValidationError, match="Extra inputs"):
        Step.model_validate({"do": "x", "as": "student", "epoks": 1})
    plain = Step.model_validate({"do": "x", "as": "student"})
    assert (plain.needs(), plain.needs_faces(), plain.design(), plain.timed()) == ([], [], (), False)
    assert (plain.starts_from(), plain.shape_of(), plain.allowed(), plain.about_people()) == (None, None, None, False)
