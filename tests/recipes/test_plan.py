"""The plan: printed before anything is spent, with what speaks against the faces."""

from __future__ import annotations

import io
from dataclasses import replace

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


def test_photos_under_two_labels_are_told_before_the_training(tmp_path):
    faces = load("toy?faces=90", size=32)
    images, train = faces.images.copy(), (faces.splits == 0).nonzero()[0]
    other = next(row for row in train if faces.labels[row] != faces.labels[train[0]])
    images[other] = images[train[0]]
    console = Console(file=io.StringIO(), width=200)
    show_plan(schema.check(yaml.safe_load(RECIPE), "small"), replace(faces, images=images), tmp_path, console)
    text = console.file.getvalue()
    assert f"2 train faces are also there under another label: {faces.names[train[0]]} and {faces.names[other]}" in text
    assert "student" in text
