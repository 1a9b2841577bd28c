"""A model file on pairs: the faces are cut as the model wants them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facelet.errors import FaceletError
from facelet.faces import load_pairs
from facelet.measure.pair_evaluation import evaluate_pairs_model, require_identity
from facelet.models.model_file import CropInfo
from facelet.runtime.model import Model


def test_a_model_that_cuts_closer_is_shown_the_middle(identity, small_lfw):
    """A white frame around every face does not reach it."""
    pairs = load_pairs(f"lfw:{small_lfw()}", size=112)
    framed = np.full_like(pairs.images, 255)
    framed[:, 8:-8, 8:-8] = pairs.images[:, 8:-8, 8:-8]
    close = Model.load(identity(crop=CropInfo(align="five-points", margin=-1 / 14)))
    for_it, in_a_frame = (evaluate_pairs_model(close, one).scores for one in (pairs, replace(pairs, images=framed)))
    np.testing.assert_array_equal(for_it, in_a_frame)
    wide = Model.load(identity())
    assert (evaluate_pairs_model(wide, replace(pairs, images=framed)).scores != for_it).any()


def test_a_model_of_another_task_is_refused(expression):
    with pytest.raises(FaceletError, match="pairs of faces are for identity models"):
        require_identity(Model.load(expression()))
