"""Margin losses against loops and pytorch-metric-learning."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import normalize

from facelet.errors import FaceletError
from facelet.losses.margin import arcface, cosface, cosines, default_scale, margin_at

LABELS = torch.tensor([0, 3, 2, 4, 1, 2])


def batch(n=6, identities=5, dims=8, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(size, dims, generator=generator, dtype=torch.float64) for size in (n, identities))


def angles(n=6, identities=5, seed=0):
    """Cosines all over -1 to 1."""
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.rand(n, identities, generator=generator, dtype=torch.float64) - 1


def entropy(row, label, own, scale):
    logits = [scale * (own if k == label else value) for k, value in enumerate(row)]
    top = max(logits)
    return top + math.log(sum(math.exp(value - top) for value in logits)) - logits[label]


def test_cosface_by_loops():
    given = angles()
    expected = [
        entropy(row, label, row[label] - 0.35, 30) for row, label in zip(given.tolist(), LABELS.tolist(), strict=True)
    ]
    assert cosface(given, LABELS).tolist() == pytest.approx(expected)


def test_arcface_by_loops_beyond_pi_too():
    given = angles()
    given[0, 0], given[1, 3] = -0.98, -0.5  # an angle of 169 degrees, and one of 120
    expected = []
    for row, label in zip(given.tolist(), LABELS.tolist(), strict=True):
        angle = math.acos(row[label])
        own = math.cos(angle + 0.5) if angle + 0.5 < math.pi else row[label] - 0.5 * math.sin(0.5)
        expected.append(entropy(row, label, own, 64))
    assert arcface(given, LABELS).tolist() == pytest.approx(expected)


def test_they_are_pytorch_metric_learnings():
    """Whose ArcFace takes its margin in degrees."""
    theirs = pytest.importorskip("pytorch_metric_learning.losses")
    embedding, prototypes = (tensor.float() for tensor in batch(64, 5))
    labels = torch.arange(64) % 5
    ours = cosines(embedding, prototypes)
    for loss, value in (
        (theirs.CosFaceLoss(5, 8, margin=0.35, scale=30), cosface(ours, labels)),
        (theirs.ArcFaceLoss(5, 8, margin=math.degrees(0.5), scale=64), arcface(ours, labels)),
    ):
        loss.W.data = prototypes.T.clone()
        torch.testing.assert_close(value.mean(), loss(embedding, labels), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("loss", [cosface, arcface])
def test_without_a_margin_it_is_a_softmax_and_a_margin_costs(loss):
    given = angles()
    plain = torch.nn.functional.cross_entropy(10 * given, LABELS, reduction="none")
    torch.testing.assert_close(loss(given, LABELS, 10.0, 0.0), plain)
    assert (loss(given, LABELS, 10.0, 0.3) > plain).all()


@pytest.mark.parametrize("loss", [cosface, arcface])
def test_its_gradient_is_that_of_differences_and_finite_at_the_edges(loss):
    given = angles(3).mul(0.9).requires_grad_()
    assert torch.autograd.gradcheck(lambda each: loss(each, LABELS[:3], 5.0, 0.3), (given,))
    edges = torch.tensor([[1.0, -1.0], [-1.0, 1.0], [1.0 + 1e-6, 0.0]], requires_grad=True)
    value = loss(edges, torch.zeros(3, dtype=torch.long))
    value.sum().backward()
    assert value.isfinite().all()
    assert edges.grad.isfinite().all()


@pytest.mark.parametrize("loss", [cosface, arcface])
def test_arcface_never_rewards_a_larger_angle(loss):
    own = torch.linspace(-1, 1, 1001, dtype=torch.float64)
    given = torch.stack((own, torch.zeros_like(own)), 1)
    assert (loss(given, torch.zeros(1001, dtype=torch.long)).diff() <= 1e-9).all()


@pytest.mark.parametrize("loss", [cosface, arcface])
def test_a_face_without_identity_costs_nothing(loss):
    labels = LABELS.clone()
    labels[2] = -1
    given = angles()
    expected = loss(given, LABELS)
    expected[2] = 0
    torch.testing.assert_close(loss(given, labels), expected)


def test_cosines_are_float32_under_autocast():
    embedding, prototypes = batch()
    expected = torch.nn.functional.cosine_similarity(embedding[:, None], prototypes[None], dim=2).float()
    with torch.autocast("cpu", torch.bfloat16):
        found = cosines(embedding.float(), prototypes.float())
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(
        cosines(5 * embedding, prototypes), (normalize(embedding) @ normalize(prototypes).T).float()
    )


def test_scale_and_warm_up():
    assert default_scale(1000) == pytest.approx(1.41421356 * 6.90675478)
    assert default_scale(9_999) < default_scale(10_000) == 30
    assert default_scale(10_000, many=64) == 64
    assert [margin_at(step, 4, 0.4) for step in range(6)] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.4])
    assert margin_at(0, 0, 0.4) == 0.4


def test_what_does_not_fit_is_refused():
    with pytest.raises(FaceletError, match=r"margin is 28\.6, expected 0 to 1\.57 \(in radians, not degrees\)"):
        arcface(angles(), LABELS, margin=28.6)
    with pytest.raises(FaceletError, match=r"margin is -0\.1"):
        cosface(angles(), LABELS, margin=-0.1)
    with pytest.raises(FaceletError, match="bfloat16, expected float32"):
        arcface(angles().bfloat16(), LABELS)
    with pytest.raises(FaceletError, match="embeddings have 8 dimensions, prototypes 4"):
        cosines(torch.zeros(2, 8), torch.zeros(3, 4))
    with pytest.raises(FaceletError, match="2 identities are too few"):
        default_scale(2)
