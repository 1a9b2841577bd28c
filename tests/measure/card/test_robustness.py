"""Robustness: of faces against a count by hand, of pairs against pairs made worse one by one."""

from __future__ import annotations

import numpy as np
import pytest

from facelet.faces import load, load_pairs
from facelet.measure.card.corruptions import levels
from facelet.measure.card.robustness import on_faces, on_pairs
from facelet.measure.evaluation import evaluate_model
from facelet.measure.verification import embedded
from facelet.runtime.model import Model


def test_faces_in_the_dark_are_all_dark(expression, shades):
    model, faces = Model.load(expression()), load(f"folder:{shades}", size=32, channels=1)
    plain = evaluate_model(model, faces)
    assert plain.accuracy == pytest.approx(18 / 20)  # of five bright faces one is nearly dark
    told = []
    trials = on_faces(model, faces, plain, told.append)
    assert [(trial.condition, trial.strength) for trial in trials] == [
        ("original", ""),
        *((level.condition, level.strength) for level in levels(32)),
    ]
    assert (trials[0].accuracy, trials[0].low, trials[0].change) == (plain.accuracy, plain.all.accuracy_low, None)
    assert told == [f"measuring: {level}" for level in levels(32)]
    dark = {trial.strength: trial for trial in trials if trial.condition == "little light"}["6 stops less"]
    assert (dark.accuracy, dark.n) == (0.5, 20)
    assert dark.low < 0.5 < dark.high
    assert dark.change.value == pytest.approx(-0.4)
    assert dark.change.measurable
    assert dark.confidence > 0.9  # wrong, and sure of it
    jpeg = trials[-1]
    assert jpeg.change.value == 0
    assert not jpeg.change.measurable
    assert (jpeg.tar, jpeg.far) == (None, None)


def test_only_the_second_picture_of_a_pair_is_made_worse(identity, small_lfw):
    model = Model.load(identity())
    pairs = load_pairs(f"lfw:{small_lfw(folds=4, each=6, size=32)}?align=no", size=32)
    embeddings = embedded(model.logits, pairs.images)
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    threshold = 0.97
    before, *trials = on_pairs(model, pairs, embeddings, threshold)
    second = np.unique(pairs.pairs[:, 1]).tolist()
    for level, trial in zip(levels(32, 3), trials, strict=True):
        worse = model.embeddings(level.change(pairs.images[second]))
        accepted = np.array([unit[a] @ worse[second.index(b)] >= threshold for a, b in pairs.pairs])
        assert trial.n == 48
        assert trial.accuracy == pytest.approx((accepted == pairs.same).mean())
        assert trial.tar == pytest.approx(accepted[pairs.same].mean())
        assert trial.far == pytest.approx(accepted[~pairs.same].mean())
        assert trial.confidence is None
    assert min(trial.tar for trial in trials) < trials[-1].tar  # the dark does more harm than JPEG
    accepted = np.array([unit[a] @ unit[b] >= threshold for a, b in pairs.pairs])
    assert before.accuracy == (accepted == pairs.same).mean()
    assert (before.tar, before.far) == (accepted[pairs.same].mean(), accepted[~pairs.same].mean())
    assert trials[0].change.value == pytest.approx(trials[0].accuracy - before.accuracy)
