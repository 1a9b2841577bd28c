"""Class priors: Bayes' rule with plain loops, what the files say, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facelet.errors import FaceletError
from facelet.models import bundled, model_file, priors
from facelet.models.model_file import InputInfo, ModelInfo

LABELS = ("neutral", "happiness", "fear")


def info(**counts) -> ModelInfo:
    return ModelInfo(
        labels=LABELS,
        input=InputInfo(size=8, channels=1, mean=(0.5,), std=(0.5,)),
        protocol={"counts": {"train": counts}} if counts else {},
    )


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6))
def test_it_is_bayes_rule(seed):
    """From densities p(x | k): the posterior under the wanted shares, without the formula."""
    rng = np.random.default_rng(seed)
    densities, seen, want = rng.uniform(0.1, 1, 3), rng.integers(1, 1000, 3), rng.uniform(0.1, 1, 3)
    posterior = [[float(d * n) for d, n in zip(densities, seen, strict=True)]]
    before = np.array(posterior) / np.sum(posterior)
    factors = priors.weights(
        info(**dict(zip(LABELS, seen.tolist(), strict=True))), dict(zip(LABELS, want.tolist(), strict=True))
    )
    after = priors.reweighted(before.astype(np.float32), factors)[0]
    expected = [float(d * w) for d, w in zip(densities, want, strict=True)]
    np.testing.assert_allclose(after, np.array(expected) / sum(expected), rtol=1e-4)


def test_uniform_undoes_the_training_shares():
    model = info(neutral=70, happiness=20, fear=10)
    rows = priors.reweighted(np.array([[0.7, 0.2, 0.1]], np.float32), priors.weights(model, "uniform"))
    np.testing.assert_allclose(rows, 1 / 3, atol=1e-6)
    assert rows.dtype == np.float32


def test_a_power_goes_a_part_of_the_way():
    """Weights prior^-power, which differ from the file's by a constant."""
    model, row = info(neutral=70, happiness=20, fear=10), np.array([[0.5, 0.3, 0.2]], np.float32)
    soft = priors.reweighted(row, priors.weights(model, "uniform^0.25"))
    expected = row[0] * np.array([0.7, 0.2, 0.1]) ** -0.25
    np.testing.assert_allclose(soft[0], expected / expected.sum(), rtol=1e-5)
    whole, plain = (priors.weights(model, prior) for prior in ("uniform^1", "uniform"))
    np.testing.assert_array_equal(whole, plain)


def test_training_changes_nothing_and_needs_no_counts():
    assert priors.weights(info(), "training") is None


def test_a_label_left_out_has_no_share():
    model = info(neutral=1, happiness=1, fear=1)
    factors = priors.weights(model, {"neutral": 3, "fear": 1})
    rows = priors.reweighted(np.array([[0.1, 0.8, 0.1], [0, 1, 0]], np.float32), factors)
    np.testing.assert_allclose(rows, [[0.75, 0, 0.25], [0.75, 0, 0.25]], atol=1e-6)


@pytest.mark.parametrize("name", [model.name for model in bundled.models() if model.name.startswith("expression")])
def test_bundled_files_state_their_training_shares(name):
    shares = priors.trained(model_file.read(bundled.found(name)))
    assert shares.sum() == pytest.approx(1)
    assert shares.min() > 0.001


@pytest.mark.parametrize(
    ("counts", "prior", "said"),
    [
        ({}, "uniform", "does not state how many training faces"),
        ({"neutral": 5, "happiness": 5}, "uniform", "does not state how many training faces"),
        ({"neutral": 5, "happiness": 5, "fear": 0}, "uniform", "does not state how many training faces"),
        ({"neutral": 5, "happiness": 5, "fear": "many"}, "uniform", "does not state how many training faces"),
        ({"neutral": 1, "happiness": 1, "fear": 1}, "unifrom", "unknown prior 'unifrom', did you mean 'uniform'"),
        ({"neutral": 1, "happiness": 1, "fear": 1}, "unifrom^0.5", "unknown prior 'unifrom', did you mean 'uniform'"),
        ({"neutral": 1, "happiness": 1, "fear": 1}, "uniform^2", "the power is '2'; expected a number above 0 up to 1"),
        ({"neutral": 1, "happiness": 1, "fear": 1}, "uniform^0", "the power is '0'; expected"),
        ({"neutral": 1, "happiness": 1, "fear": 1}, "uniform^nan", "the power is 'nan'; expected"),
        ({"neutral": 1, "happiness": 1, "fear": 1}, "uniform^", "the power is ''; expected"),
        ({"neutral": 1, "happiness": 1, "fear": 1}, {"happy": 1}, "unknown label in the prior 'happy', did you mean"),
        ({"neutral": 1, "happiness": 1, "fear": 1}, {"fear": -1}, "the share of fear is -1; expected 0 or more"),
        ({"neutral": 1, "happiness": 1, "fear": 1}, {"fear": float("nan")}, "the share of fear is nan"),
        ({"neutral": 1, "happiness": 1, "fear": 1}, {"fear": 0}, "all shares are 0"),
    ],
)
def test_what_is_refused(counts, prior, said):
    with pytest.raises(FaceletError, match=said):
        priors.weights(info(**counts), prior)


def test_an_identity_model_has_no_classes():
    model = info(neutral=1).model_copy(update={"task": "identity"})
    with pytest.raises(FaceletError, match="a model for identity has no classes"):
        priors.weights(model, "uniform")


def test_shares_are_typed():
    assert priors.parsed("uniform") == "uniform"
    assert priors.parsed("neutral=0.7, fear=0.3") == {"neutral": 0.7, "fear": 0.3}
    with pytest.raises(FaceletError, match="'fear=much' is not a share; expected LABEL=SHARE"):
        priors.parsed("neutral=1,fear=much")
