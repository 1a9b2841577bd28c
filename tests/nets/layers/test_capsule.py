"""Squash, votes and routing against loops over single capsules; their gradients; the nets that have them."""

from __future__ import annotations

import math

import numpy as np
import onnx
import pytest
import torch

from facelet import nets
from facelet.nets.layers.capsule import LENGTH, ClassCapsules, route, route_many, squash
from facelet.shrink.export import export


def by_hand(votes: list[list[list[float]]], iterations: int) -> list[list[float]]:
    """Sabour et al.'s procedure 1 on votes[i][k], without its last squash."""
    inputs, classes, length = len(votes), len(votes[0]), len(votes[0][0])
    agreement = [[0.0] * classes for _ in range(inputs)]
    for iteration in range(iterations):
        sums = [[0.0] * length for _ in range(classes)]
        for i in range(inputs):
            powers = [math.exp(value) for value in agreement[i]]
            for k in range(classes):
                for d in range(length):
                    sums[k][d] += powers[k] / sum(powers) * votes[i][k][d]
        if iteration == iterations - 1:
            return sums
        for k in range(classes):
            squares = sum(value * value for value in sums[k])
            squashed = [squares / (1 + squares) * value / math.sqrt(squares) for value in sums[k]]
            for i in range(inputs):
                agreement[i][k] += sum(a * b for a, b in zip(votes[i][k], squashed, strict=True))
    raise AssertionError


def test_squash_keeps_the_direction_and_bounds_the_length():
    vectors = torch.tensor([[3.0, 4.0], [0.03, 0.04], [0.0, 0.0]], dtype=torch.float64, requires_grad=True)
    squashed = squash(vectors)
    assert squashed.norm(dim=1).tolist() == pytest.approx([25 / 26, 0.0025 / 1.0025, 0], rel=1e-4)
    assert (squashed[0] / squashed[0].norm()).tolist() == pytest.approx([0.6, 0.8])
    squashed.sum().backward()
    assert torch.isfinite(vectors.grad).all()


def drawn(faces: int, classes: int, capsules: int, dims: int, length: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Vectors and weight in float64, as ``route`` takes them."""
    vectors = torch.randn(faces, dims, capsules, dtype=torch.float64)
    return vectors, torch.randn(classes, dims * capsules, length, dtype=torch.float64)


def votes_of(vectors: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """(N, K, I, L), one capsule and class after the other."""
    dims, capsules = vectors.shape[1:]
    each = [
        [vectors[:, :, i] @ weight[k, [d * capsules + i for d in range(dims)]] for i in range(capsules)]
        for k in range(len(weight))
    ]
    return torch.stack([torch.stack(of_class, 1) for of_class in each], 1)


@pytest.mark.parametrize("iterations", [1, 2, 3, 5])
def test_routing_is_the_papers_procedure(iterations):
    vectors, weight = drawn(2, 3, 5, 2, 4)
    votes = votes_of(vectors, weight)
    for found in (route(votes, iterations), route_many(vectors, weight, iterations)):
        for face in range(2):
            expected = by_hand(votes[face].transpose(0, 1).tolist(), iterations)
            np.testing.assert_allclose(found[face].numpy(), expected, rtol=1e-4)


@pytest.mark.parametrize("many", [False, True])
def test_gradients_pass_through_the_last_iteration_alone(many):
    vectors, weight = (one.requires_grad_() for one in drawn(1, 3, 4, 2, 5))
    found = route_many(vectors, weight, 3) if many else route(votes_of(vectors, weight), 3)
    found.square().sum().backward()
    with torch.no_grad():
        votes, agreement = votes_of(vectors, weight), torch.zeros(1, 3, 4, dtype=torch.float64)
        for _ in range(2):
            sums = torch.einsum("nki,nkid->nkd", agreement.softmax(1), votes)
            agreement = agreement + torch.einsum("nkid,nkd->nki", votes, squash(sums))
        shares = agreement.softmax(1)
    again = [one.detach().clone().requires_grad_() for one in (vectors, weight)]
    torch.einsum("nki,nkid->nkd", shares, votes_of(*again)).square().sum().backward()
    for mine, theirs in zip((vectors, weight), again, strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad)


def test_gradients_of_routing_are_those_of_differences():
    vectors, weight = (one.requires_grad_() for one in drawn(2, 2, 3, 2, 4))
    assert torch.autograd.gradcheck(lambda *both: route_many(*both, iterations=1), (vectors, weight))


@pytest.mark.parametrize("training", [False, True])
def test_every_type_votes_with_its_own_weights_at_every_place(training):
    layer = ClassCapsules(classes=3, types=2, dims=4, places=6, iterations=2).train(training)
    maps = torch.randn(2, 4 * 2, 2, 3)
    expected = []
    for face in range(2):
        votes: list[list[list[float]]] = []
        for type_ in range(2):
            for place in range(6):
                vector = torch.stack([maps[face, d * 2 + type_].flatten()[place] for d in range(4)])
                mine = squash(vector) @ layer.weight[type_, place]
                votes.append(mine.view(3, LENGTH).tolist())
        expected.append(by_hand(votes, 2))
    torch.testing.assert_close(layer(maps), torch.tensor(expected), rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_routing_exports_unrolled(tmp_path):
    spec = nets.resolve("rescaps", classes=3, size=32, width=0.0625, types=4)
    faces = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 1), np.uint8)
    net = spec.build().eval()
    info = export(net, spec, tmp_path / "caps.onnx", {"labels": ("a", "b", "c")}, faces)  # the parity gate
    assert info.params == sum(weight.numel() for weight in net.parameters())
    assert not {node.op_type for node in onnx.load(tmp_path / "caps.onnx").graph.node} & {"Loop", "If", "Scan"}
