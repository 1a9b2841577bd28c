"""LFW's protocol against loops, on made-up pairs."""

from __future__ import annotations

import doctest
import json
import statistics
from itertools import pairwise

import numpy as np
import pytest

import facelet.measure.verification
from facelet.errors import FaceletError
from facelet.faces import PairSet
from facelet.measure.metrics.roc import best_threshold
from facelet.measure.verification import PairScores, cosines, embedded, evaluate_pairs

WIDTH = 8


def people(count=60, photos=4, noise=0.5, seed=0, each=12, folds=10):
    """Pairs of faces whose pixels hold their embedding, and a model that reads it there."""
    rng = np.random.default_rng(seed)
    wanted = np.repeat(rng.normal(size=(count, WIDTH)), photos, 0) + noise * rng.normal(size=(count * photos, WIDTH))
    codes = np.clip(128 + 40 * wanted, 0, 255).astype(np.uint8)
    images = np.repeat(codes.reshape(-1, 1, WIDTH, 1), WIDTH, 1)
    who = np.repeat(np.arange(count), photos)
    pairs, same = [], []
    for _ in range(folds):
        for _ in range(each):
            pairs.append(rng.choice(np.flatnonzero(who == rng.integers(count)), 2, replace=False))
            same.append(True)
        for _ in range(each):
            one, two = rng.choice(count, 2, replace=False)
            pairs.append([rng.choice(np.flatnonzero(who == one)), rng.choice(np.flatnonzero(who == two))])
            same.append(False)
    names = np.array([f"p{k}/{n}" for n, k in enumerate(who)])
    fold_of = np.arange(2 * each * folds) // (2 * each)
    return PairSet(images, names, np.array(pairs), np.array(same), fold_of, "mine")


def embed(images):
    return images[:, 0, :, 0].astype(np.float64) - 128


def test_examples_in_the_docstring():
    assert doctest.testmod(facelet.measure.verification).failed == 0


def test_scores_are_cosines():
    pairs = people()
    result = evaluate_pairs(embed, pairs)
    for score, (first, second) in zip(result.scores, pairs.pairs, strict=True):
        a, b = embed(pairs.images[[first, second]])
        assert score == pytest.approx(sum(a * b) / (sum(a * a) ** 0.5 * sum(b * b) ** 0.5))


def test_ten_folds_against_loops():
    pairs = people(noise=0.9)
    result = evaluate_pairs(embed, pairs)
    accuracies = []
    for fold in range(10):
        learnt = [n for n in range(len(pairs)) if pairs.folds[n] != fold]
        tested = [n for n in range(len(pairs)) if pairs.folds[n] == fold]
        ranked = sorted({float(result.scores[n]) for n in learnt})
        middles = [(a + b) / 2 for a, b in pairwise(ranked)]
        rights = [sum((result.scores[n] >= t) == pairs.same[n] for n in learnt) for t in middles]
        threshold = result.thresholds[fold]
        assert sum((result.scores[n] >= threshold) == pairs.same[n] for n in learnt) == max(rights)
        assert threshold == best_threshold(result.scores[learnt], pairs.same[learnt])
        accuracies.append(sum((result.scores[n] >= threshold) == pairs.same[n] for n in tested) / len(tested))
    assert result.accuracies == pytest.approx(accuracies)
    assert 0.6 < result.accuracy < 1
    assert result.accuracy == pytest.approx(sum(accuracies) / 10)
    deviation = sum((a - result.accuracy) ** 2 for a in accuracies) / 9
    assert result.standard_error == pytest.approx(deviation**0.5 / 10**0.5)
    assert result.standard_error == pytest.approx(statistics.stdev(accuracies) / 10**0.5)
    low, high = result.interval
    assert low < result.correct.mean() < high


def test_a_fold_never_chooses_its_own_threshold():
    pairs = people()
    result = evaluate_pairs(embed, pairs)
    spoilt = result.scores.copy()
    spoilt[pairs.folds == 3] = -spoilt[pairs.folds == 3]
    other = PairScores(spoilt, pairs.same, pairs.folds, "p")
    assert other.thresholds[3] == result.thresholds[3]
    assert other.accuracies[3] < 0.5 < result.accuracies[3]


def test_rates_that_the_pairs_support():
    result = evaluate_pairs(embed, people(each=40))
    assert result.smallest_far == pytest.approx(3 / 400)
    assert result.supported == [1e-2]
    assert result.at_far(1e-2).accepted <= 4
    with pytest.raises(FaceletError, match=r"a FAR of 0\.001 cannot be measured with 400 pairs"):
        result.at_far(1e-3)
    assert list(result.to_json()["at_far"]) == ["0.01"]
    chosen = result.at_far(1e-2).threshold
    assert result.at_threshold(chosen) == result.at_far(1e-2)


def test_mirror_images_are_reported_apart():
    pairs = people(noise=0.9)
    plain, both = evaluate_pairs(embed, pairs), evaluate_pairs(embed, pairs, mirror=True)
    assert plain.mirrored is None
    assert np.array_equal(plain.scores, both.scores)
    units = [
        e / np.linalg.norm(e, axis=1, keepdims=True) for e in (embed(pairs.images), embed(pairs.images[:, :, ::-1]))
    ]
    np.testing.assert_allclose(both.mirrored.scores, cosines(units[0] + units[1], pairs.pairs), atol=1e-6)
    assert both.mirrored.accuracy != both.accuracy
    assert both.to_json()["with_mirror_images"]["accuracy"] == both.mirrored.accuracy
    assert plain.to_json()["with_mirror_images"] is None


def test_every_face_is_asked_about_once_and_in_parts(monkeypatch):
    monkeypatch.setattr(facelet.measure.verification, "CHUNK", 7)
    pairs, asked = people(), []

    def counting(images):
        asked.append(len(images))
        return embed(images)

    result = evaluate_pairs(counting, pairs)
    assert sum(asked) == len(pairs.images)
    assert max(asked) == 7
    monkeypatch.undo()
    np.testing.assert_allclose(result.scores, evaluate_pairs(embed, pairs).scores)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda images: embed(images)[:, 0], r"returned shape \(240,\) for 240 faces; expected \(240, D\)"),
        (lambda images: embed(images)[1:], r"shape \(239, 8\) for 240 faces"),
        (lambda images: embed(images) * (np.arange(len(images)) > 1)[:, None], "embeddings of 2 of 240 faces are zero"),
        (lambda images: embed(images) * np.nan, "240 of 240 faces are zero, NaN or infinite"),
    ],
)
def test_answers_that_are_no_embeddings_are_refused(model, message):
    with pytest.raises(FaceletError, match=message):
        embedded(model, people().images)


def test_save_and_load_keep_everything(tmp_path):
    pairs = people(noise=0.9)
    for number, mirror in enumerate((False, True)):
        result = evaluate_pairs(embed, pairs, mirror=mirror)
        result.save(tmp_path / f"{number}.npz")
        again = PairScores.load(tmp_path / f"{number}.npz")
        assert again.to_json() == result.to_json()
        json.dumps(again.to_json(), allow_nan=False)
    (tmp_path / "torn.npz").write_bytes((tmp_path / "0.npz").read_bytes()[:90])
    with pytest.raises(FaceletError, match="cannot read the scores"):
        PairScores.load(tmp_path / "torn.npz")


def test_two_models_are_compared_on_the_same_pairs_only():
    pairs = people(noise=0.9)
    good = evaluate_pairs(embed, pairs)
    worse = evaluate_pairs(lambda images: embed(images)[:, :2] + 1e-3, pairs)
    difference = good.against(worse)
    assert difference.value == pytest.approx(good.correct.mean() - worse.correct.mean())
    assert difference.low < difference.value < difference.high
    with pytest.raises(FaceletError, match="different pairs cannot be compared"):
        good.against(evaluate_pairs(embed, people(seed=1)))
