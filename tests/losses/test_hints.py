"""hint, attention and rkd against plain loops."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import avg_pool2d, smooth_l1_loss

from facelet.errors import FaceletError
from facelet.losses import attention, hint, rkd_angle, rkd_distance


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def huber(difference):
    return 0.5 * difference**2 if abs(difference) < 1 else abs(difference) - 0.5


def test_hint_is_the_mean_squared_difference():
    a, b = draw(3, 5), draw(3, 5, seed=1)
    rows = zip(a.tolist(), b.tolist(), strict=True)
    expected = [sum((x - y) ** 2 for x, y in zip(p, q, strict=True)) / 5 for p, q in rows]
    assert hint(a, b).tolist() == pytest.approx(expected)
    with pytest.raises(FaceletError, match="one shape"):
        hint(a, draw(3, 4))


def test_attention_by_loops():
    student, teacher = draw(2, 4, 3, 3), draw(2, 6, 3, 3, seed=1)
    for n in range(2):
        maps = []
        for net in (student, teacher):
            energy = [[sum(v * v for v in net[n, :, y, x].tolist()) / net.shape[1] for x in range(3)] for y in range(3)]
            flat = [value for row in energy for value in row]
            norm = math.sqrt(sum(value**2 for value in flat))
            maps.append([value / norm for value in flat])
        expected = sum((a - b) ** 2 for a, b in zip(*maps, strict=True)) / 9
        assert attention(student, teacher)[n].item() == pytest.approx(expected)


def test_attention_pools_the_larger_map():
    student, teacher = draw(2, 4, 6, 6), draw(2, 8, 3, 3, seed=1)
    pooled = avg_pool2d(student.square().mean(1, keepdim=True), 2).sqrt()
    assert torch.allclose(attention(student, teacher), attention(pooled, teacher))


def test_rkd_distance_by_loops():
    student, teacher = draw(5, 3), draw(5, 4, seed=1)

    def distances(e):
        table = [[math.dist(e[i], e[j]) for j in range(5)] for i in range(5)]
        mean = sum(map(sum, table)) / 20
        return [[d / mean for d in row] for row in table]

    s, t = distances(student.tolist()), distances(teacher.tolist())
    expected = [sum(huber(s[i][j] - t[i][j]) for j in range(5)) / 5 for i in range(5)]
    assert torch.allclose(rkd_distance(student, teacher), torch.tensor(expected, dtype=torch.float64), atol=1e-7)


def test_rkd_angle_by_loops():
    student, teacher = draw(4, 3), draw(4, 5, seed=1)

    def cosine(e, i, j, k):
        if i in (j, k):
            return 0.0
        a, b = e[j] - e[i], e[k] - e[i]
        return (a @ b / (a.norm() * b.norm())).item()

    for i in range(4):
        terms = [huber(cosine(student, i, j, k) - cosine(teacher, i, j, k)) for j in range(4) for k in range(4)]
        assert rkd_angle(student, teacher)[i].item() == pytest.approx(sum(terms) / 16)


def test_rkd_is_the_published_code_up_to_its_means():
    student, teacher = draw(6, 3).float(), draw(6, 4, seed=1).float()

    def pdist(e):
        squares = e.pow(2).sum(1)
        d = (squares[:, None] + squares[None] - 2 * e @ e.t()).clamp(min=1e-12).sqrt().clone()
        d[range(len(e)), range(len(e))] = 0
        return d / d[d > 0].mean()

    expected = smooth_l1_loss(pdist(student), pdist(teacher))
    assert torch.allclose(rkd_distance(student, teacher).mean(), expected, atol=1e-6)


@pytest.mark.parametrize("loss", [rkd_distance, rkd_angle])
def test_relations_ignore_scale_and_shift_and_have_finite_gradients(loss):
    teacher = draw(5, 4)
    assert loss(3 * teacher + 7, teacher).abs().max() < 1e-6
    same = torch.zeros(5, 4, dtype=torch.float64, requires_grad=True)
    loss(same, teacher).sum().backward()
    assert same.grad.isfinite().all()
    with pytest.raises(FaceletError, match="batch of at least"):
        loss(teacher[:1], teacher[:1])
