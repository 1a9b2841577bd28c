"""What cards and reports quote of a run names no folder of the machine it was made on."""

from __future__ import annotations

import pytest
import yaml

from facelet.measure.ledger.shareable import shareable_command, shareable_recipe


@pytest.mark.parametrize(
    ("typed", "passed_on"),
    [
        (
            "facelet run tsnet --faces folder:/home/ada/clinic/faces.zip?size=48",
            "facelet run tsnet --faces 'folder:faces.zip?size=48'",
        ),
        (
            "facelet run '/home/ada/my recipes/r.yaml' --out=/tmp/x/ --faces folder:~/f",
            "facelet run r.yaml --out=x --faces folder:f",
        ),
        (r"facelet card 'C:\Users\ada\m.onnx' --faces 'folder:D:\faces'", "facelet card m.onnx --faces folder:faces"),
        ("facelet eval m.onnx --faces 'lfw:/a/b?pairs=/c/d.txt'", "facelet eval m.onnx --faces 'lfw:b?pairs=d.txt'"),
        ("facelet run --set steps.a.file=/x/y.onnx", "facelet run --set steps.a.file=y.onnx"),
        ("facelet run tsnet --faces ferplus:ferplus.zip", "facelet run tsnet --faces ferplus:ferplus.zip"),
        ("facelet run 'never closed", ""),
    ],
)
def test_commands(typed, passed_on):
    assert shareable_command(typed) == passed_on


def test_recipes():
    recipe = {
        "title": "A and/or B",
        "paper": "https://arxiv.org/abs/1503.02531",
        "about": "5 / 10 of them\nin two lines",
        "faces": {"source": "folder", "path": "/home/ada/clinic", "also": ["faces:/home/ada/more.zip"]},
        "steps": [{"do": "adopt", "file": "/home/ada/theirs.onnx", "size": 64}],
    }
    told = yaml.safe_load(shareable_recipe(yaml.safe_dump(recipe)))
    assert told == {
        **recipe,
        "faces": {"source": "folder", "path": "clinic", "also": ["faces:more.zip"]},
        "steps": [{"do": "adopt", "file": "theirs.onnx", "size": 64}],
    }
    assert shareable_recipe("") == ""
