"""The plan: printed before anything is spent, with what speaks against the faces."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
import yaml
from rich.console import Console

from facelet.faces import load
from facelet.recipes import schema
from facelet.recipes.plan import show_plan

RECIPE = """
title: Small
faces: {source: toy, size: 32, faces: 90}
steps:
  - {do: train, as: student, net: shufflenet-v2-x0.5, epochs: 1}
"""


@pytest.mark.slow
def test_photos_under_two_labels_are_told_before_the_training(tmp_path):
    faces = load("toy?faces=90", size=32)
    images, train = faces.images.copy(), (faces.splits == 0).nonzero()[0]
    other = next(row for row in train if faces.labels[row] != faces.labels[train[0]])
    images[other] = images[train[0]]
    console = Console(file=io.StringIO(), width=60)
    show_plan(schema.check(yaml.safe_load(RECIPE), "small"), replace(faces, images=images), tmp_path, console)
    text = console.file.getvalue()
    assert f"2 train faces are also there under another label: {faces.names[train[0]]} and {faces.names[other]}" in text
    assert "student" in text


@pytest.mark.slow
@pytest.mark.parametrize(("batch", "words"), [(128, "1 min"), (64, "30 s")])
def test_a_control_with_minutes_is_planned_as_long_as_its_model(tmp_path, batch, words):
    """Its own minutes are not what it takes: as many steps of the same net, here also in batches of half the size."""
    steps = "steps:\n  - {do: train, as: student, net: shufflenet-v2-x0.5, minutes: 1}\n"
    control = f"controls:\n  - {{do: train, as: alone, net: shufflenet-v2-x0.5, minutes: 5, batch: {batch}}}\n"
    text = RECIPE.replace(RECIPE[RECIPE.index("steps:") :], steps + control)
    console = Console(file=io.StringIO(), width=200)
    show_plan(schema.check(yaml.safe_load(text), "small"), load("toy?faces=90", size=32), tmp_path, console)
    line = next(line for line in console.file.getvalue().splitlines() if line.startswith("alone"))
    assert "as many steps as student on" in line
    assert "5 minutes" not in line
    assert line.rstrip().endswith(words.replace("1 min", "60 s"))
