from __future__ import annotations

import math

import pytest
import torch

from facelet.errors import FaceletError
from facelet.losses import rkd_angle, rkd_distance
from facelet.losses.embedding import SHARPNESS, cosine, relational, similarity, squared


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_cosine_and_squared_by_loops():
    student, teacher = draw(5, 7), draw(5, 7, seed=1)
    for n, (s, t) in enumerate(zip(student.tolist(), teacher.tolist(), strict=True)):
        length_s, length_t = (math.sqrt(sum(value * value for value in row)) for row in (s, t))
        dot = sum(a * b for a, b in zip(s, t, strict=True)) / (length_s * length_t)
        apart = sum((a / length_s - b / length_t) ** 2 for a, b in zip(s, t, strict=True))
        assert cosine(student, teacher)[n].item() == pytest.approx(1 - dot)
        assert squared(student, teacher)[n].item() == pytest.approx(apart)
    torch.testing.assert_close(squared(student, teacher), 2 * cosine(student, teacher))


@pytest.mark.parametrize("loss", [cosine, squared, relational])
def test_only_directions_count(loss):
    student, teacher = draw(5, 7), draw(5, 7, seed=1)
    lengths = torch.rand(5, 1, dtype=torch.float64) + 0.1
    torch.testing.assert_close(loss(lengths * student, 3 * teacher), loss(student, teacher))
    assert loss(lengths * teacher, teacher).abs().max() < 1e-12
    assert loss(student, teacher).shape == (5,)


def test_relational_is_rkd_on_the_sphere_whatever_the_widths():
    student, teacher = draw(5, 7), draw(5, 3, seed=1)
    unit_s, unit_t = (each / each.norm(dim=1, keepdim=True) for each in (student, teacher))
    expected = rkd_distance(unit_s, unit_t) + 2 * rkd_angle(unit_s, unit_t)
    torch.testing.assert_close(relational(student, teacher), expected)


@pytest.mark.parametrize("loss", [cosine, squared, relational])
def test_gradients_are_finite_at_zero_and_at_the_goal(loss):
    teacher = draw(4, 6)
    for start in (torch.zeros(4, 6, dtype=torch.float64), teacher.clone()):
        student = start.requires_grad_()
        loss(student, teacher).sum().backward()
        assert student.grad.isfinite().all()


def test_similarity_by_loops():
    student, teacher, memory = draw(3, 7), draw(3, 7, seed=1), torch.nn.functional.normalize(draw(6, 7, seed=2))

    def shares(row):
        powers = [math.exp(float(row @ one) / float(row.norm()) / SHARPNESS) for one in memory]
        return [power / sum(powers) for power in powers]

    found = similarity(student, teacher, memory)
    for n in range(3):
        told, said = shares(teacher[n]), shares(student[n])
        expected = sum(p * math.log(p / q) for p, q in zip(told, said, strict=True))
        assert found[n].item() == pytest.approx(expected)
    torch.testing.assert_close(similarity(2 * teacher, teacher, memory), torch.zeros(3, dtype=torch.float64))
    student.requires_grad_()
    similarity(student, teacher, memory).sum().backward()
    assert student.grad.isfinite().all()


def test_other_shapes_are_refused():
    for loss in (cosine, squared, lambda student, teacher: similarity(student, teacher, draw(4, 7))):
        with pytest.raises(FaceletError, match=r"\(5, 7\) and teacher \(5, 3\) differ in shape; a projector"):
            loss(draw(5, 7), draw(5, 3))
