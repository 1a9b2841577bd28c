"""Two photos: the same person or two?"""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

import facelet
from facelet.runtime.model import Model
from facelet.runtime.people import subject, verify


def test_the_score_is_the_cosine_of_the_embeddings(studio):
    one, other = studio.shot(1), studio.shot(1)
    a, b = Model.load(studio.model).logits([one, other]).astype(float)
    found = facelet.verify(one, other)
    assert found.score == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b), abs=1e-6)
    assert (found.same, found.threshold, found.notes) == (True, 0.5, ())
    assert facelet.verify(other, one).score == pytest.approx(found.score, abs=1e-6)
    with pytest.raises(FrozenInstanceError):
        found.same = False


def test_other_people_and_other_thresholds(studio):
    found = facelet.verify(studio.shot(1), studio.shot(2))
    assert not found.same
    assert facelet.verify(studio.shot(1), studio.shot(2), threshold=-1).same
    one = studio.shot(1)
    assert facelet.verify(one, one, threshold=0.999).score == pytest.approx(1, abs=1e-6)


def test_subjects_found_before_are_compared_in_the_same_way(studio):
    analyzer, shots = subject.identity_analyzer(), (studio.shot(1), studio.shot(1))
    first, second = (subject.only_face(analyzer, shot) for shot in shots)
    result = verify.compared(first, second, 0.5)
    assert result.to_json() == verify.compare(analyzer, *shots).to_json()
    assert not verify.compared(first, second, 1.0).same
