"""Rows across data sets: predictions among shared classes and among all, by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest

from facelet.faces import FaceSet, Protocol
from facelet.measure.classification import evaluate
from facelet.measure.cross_set import cross_set_row, trained_on
from facelet.measure.metrics.intervals import wilson
from facelet.models.model_file import InputInfo, ModelInfo

CLASSES = ("neutral", "happiness", "anger", "fear")
PROBABILITIES = [
    [0.1, 0.8, 0.1],  # neutral, right
    [0.1, 0.3, 0.6],  # neutral taken for sad: right once sad may not be said
    [0.7, 0.2, 0.1],  # happiness, right
    [0.4, 0.5, 0.1],  # happiness taken for neutral
    [0.2, 0.2, 0.6],  # anger, which the model cannot say
]


def info(source=""):
    protocol = Protocol(source, "", CLASSES, {}, "00").to_json() if source else {}
    return ModelInfo(
        labels=("happy", "neutral", "sad"),
        input=InputInfo(size=8, channels=1, mean=(0.5,), std=(0.5,)),
        protocol=protocol,
    )


def row(source="trained", truth=(0, 0, 1, 1, 2)):
    n = len(truth)
    images = np.zeros((n, 2, 2, 1), np.uint8)
    names = np.array([str(number) for number in range(n)])
    faces = FaceSet(images, np.array(truth), np.array([0, 1, 2, 2, 2], np.int8), names, CLASSES, "mine")
    result = evaluate(lambda images: np.array(PROBABILITIES), faces, info().labels, split="all")
    return cross_set_row(result, faces.protocol, info(source))


def test_a_row_by_hand():
    found = row()
    assert (found.source, found.split, found.n) == ("mine", "all", 4)
    assert (found.classes, found.missing) == (("neutral", "happiness"), ("anger",))
    assert (found.forced.value, found.forced.low, found.forced.high) == (0.75, *wilson(3, 4))
    assert (found.free.value, found.free.low, found.free.high) == (0.5, *wilson(2, 4))
    assert found.balanced.value == pytest.approx((1 + 0.5) / 2)
    assert found.balanced.low < 0.75 < found.balanced.high
    gaps = [0.8 - 1, 0.6 - 0, 0.7 - 1, 0.5 - 0]  # each in a bin of its own
    assert found.ece.value == pytest.approx(sum(map(abs, gaps)) / 4)
    assert json.loads(json.dumps(found.to_json()))["forced"]["value"] == 0.75


def test_whether_the_training_names_a_source():
    assert trained_on(info(), "ferplus") is None
    model = info("ferplus + rafdb + faces")
    assert [trained_on(model, source) for source in ("ferplus", "rafdb + ckplus", "ckplus", "faces", "folder")] == [
        True, True, False, None, False,
    ]  # fmt: skip
    assert row("mine").trained_on is True
