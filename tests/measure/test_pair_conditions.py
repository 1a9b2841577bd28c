"""Small and grey faces: each condition against changes by hand, and sizes that faces do not have."""

from __future__ import annotations

import numpy as np
import pytest

from facelet.faces import load_pairs
from facelet.io import pixels
from facelet.measure.pair_conditions import EYES, eye_distance, measurable, pair_conditions
from facelet.measure.pair_evaluation import evaluate_pairs_model, framed
from facelet.runtime.model import Model


@pytest.fixture
def pairs(small_lfw):
    return load_pairs(f"lfw:{small_lfw(each=6)}")


def test_the_distance_between_the_eyes_is_that_of_the_template(pairs):
    assert eye_distance(pairs) == pytest.approx(35.24, abs=0.01)
    assert eye_distance(pairs.fitted(96, 3)) == pytest.approx(30.2, abs=0.01)
    assert eye_distance(pairs.fitted(112, 3, margin=0.25)) == pytest.approx(35.24 / 1.5, abs=0.01)
    assert measurable(pairs) == [30, 20, 15, 10]
    assert measurable(pairs.fitted(96, 3)) == [20, 15, 10], "30 px is what these faces have"
    assert set(EYES) > set(measurable(pairs))


def test_both_faces_are_changed_before_they_are_resized(identity, pairs):
    model = Model.load(identity())
    results = {result.name: result.scores for result in pair_conditions(model, pairs)}
    assert list(results) == [
        "as given, 35 px between the eyes",
        *(f"{eyes} px between the eyes" for eyes in (30, 20, 15, 10)),
        "both grey",
        "the second grey",
    ]
    given = results["as given, 35 px between the eyes"]
    assert np.array_equal(given.scores, evaluate_pairs_model(model, pairs).scores)
    small = [pixels.resize(pixels.resize(image, 32), 112) for image in pairs.images]  # 32 of 112 is 10 of 35
    by_hand = model.embeddings([pixels.resize(image, 32) for image in small])
    expected = [by_hand[a] @ by_hand[b] for a, b in pairs.pairs]
    assert results["10 px between the eyes"].scores == pytest.approx(expected, abs=1e-5)


def test_a_model_of_colours_tells_nobody_apart_by_greys(identity, pairs):
    """The fixture embeds the mean colour less mid grey: all greys have the same direction, or the opposite one."""
    model = Model.load(identity())
    results = {result.name: result.scores for result in pair_conditions(model, pairs)}
    assert np.abs(results["both grey"].scores) == pytest.approx(np.ones(len(pairs)), abs=0.02)
    colour, grey = (model.embeddings(each) for each in (framed(pairs, model.info).images, _grey(pairs, model)))
    expected = [colour[a] @ grey[b] for a, b in pairs.pairs]
    assert results["the second grey"].scores == pytest.approx(expected, abs=0.05)


def _grey(pairs, model):
    grey = (pairs.images @ np.array([0.299, 0.587, 0.114])).round().astype(np.uint8)[..., None].repeat(3, 3)
    return [pixels.resize(image, model.info.input.cut_size) for image in grey]
