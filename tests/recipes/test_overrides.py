from __future__ import annotations

import pytest

from facelet.errors import FaceletError
from facelet.recipes import presets, runner, schema  # noqa: F401  (the runner brings the steps)


def test_minutes_take_the_place_of_steps():
    recipe = schema.load("rescaps", settings=["steps.made.minutes=3"])
    made = next(step for step in recipe.steps if step.name == "made")
    assert (made.minutes, made.steps) == (3, None)


def test_set_reaches_faces_steps_and_controls():
    recipe = schema.load(
        "tsnet", settings=["faces.size=32", "steps.teacher.epochs=7", "controls.student-alone.minutes=2", "seeds=3"]
    )
    assert recipe.faces.size == 32
    assert recipe.steps[0].epochs == 7
    assert recipe.controls[0].minutes == 2
    assert recipe.controls[0].epochs is None
    assert recipe.seeds == 3


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("steps.teacher", "KEY=VALUE"),
        ("steps.techer.epochs=1", "did you mean 'teacher'"),
        ("step.teacher.epochs=1", "did you mean 'steps'"),
        ("steps.teacher.epoks=1", "did you mean 'epochs'"),
        ("steps.teacher.minutes=0", "minutes"),
        ("seeds=0", "seeds"),
        ("title=2024-13-01", "not YAML"),
        ("steps.student.losses={kd: 1, kd: 2}", "not YAML"),
    ],
)
def test_a_wrong_setting_is_explained(setting, message):
    with pytest.raises(FaceletError, match=message):
        schema.load("tsnet", settings=[setting])
