"""Every loss of a distillation: one value a face, and what hints measure."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from facelet.learn.tasks.distillation_losses import TERMS, Hint, Pair, standardised
from facelet.learn.teachers.outputs import ModelOutputs

PAIR = Pair((4, 6, 8), 8, 5, temperature=4.0, alpha=1.0, beta=2.0, mix=0.0)


def seen(n=12, logits=8, width=5, seed=0):
    torch.manual_seed(seed)
    stages = [torch.randn(n, channels, side, side) for channels, side in ((4, 4), (6, 3), (8, 2))]
    return ModelOutputs(torch.randn(n, logits), torch.randn(n, width), stages)


@pytest.mark.parametrize("name", list(TERMS))
def test_every_term_is_one_value_a_face_with_a_gradient(name):
    student, teacher = seen(width=8), seen(seed=1)
    tensors = [student.logits, student.embedding, *student.stages]
    for tensor in tensors:
        tensor.requires_grad_()
    labels = torch.arange(12) % 8
    hard = torch.nn.functional.cross_entropy(student.logits, labels, reduction="none")
    value = TERMS[name](PAIR)(student, teacher, labels, hard)
    assert value.shape == (12,)
    value.mean().backward()
    assert any(tensor.grad is not None and tensor.grad.abs().max() > 0 for tensor in tensors)


def test_dkd_leaves_faces_without_label_out():
    labels = torch.tensor([0, -1, 2] * 4)
    value = TERMS["dkd"](PAIR)(seen(width=8), seen(seed=1), labels, torch.zeros(12))
    assert (value[labels < 0] == 0).all()
    assert (value[labels >= 0] > 0).all()


def test_hint_measures_what_is_not_known():
    teacher = seen(n=4000, seed=1)
    knowing = Hint(replace(PAIR, student_embedding=5))
    with torch.no_grad():
        knowing.deep[0].weight.copy_(torch.eye(5))
    same = ModelOutputs(None, teacher.embedding * 3 + 1, teacher.stages)
    other = ModelOutputs(None, torch.randn(4000, 5), teacher.stages)
    assert knowing(same, teacher, torch.zeros(4000), torch.zeros(4000)).mean() < 0.001
    assert knowing(other, teacher, torch.zeros(4000), torch.zeros(4000)).mean().item() == pytest.approx(2, abs=0.1)


def test_mix_draws_the_middle_towards_the_students_own_depth():
    pair = Pair((4, 6, 8), 8, 5, 4.0, 1.0, 1.0, mix=0.25)
    student, teacher = seen(width=8), seen(seed=1)
    term = Hint(pair)
    value = term(student, teacher, torch.zeros(12), torch.zeros(12))
    deep, taught = term.deep(student.embedding), standardised(teacher.embedding)
    middle = term.middle(student.stages[1].mean((2, 3)))
    target = 0.75 * taught + 0.25 * deep
    expected = 0.5 * ((deep - taught).square().mean(1) + (middle - target).square().mean(1))
    assert torch.allclose(value, expected, atol=1e-5)


def test_features_that_do_not_vary_are_no_noise():
    feature = torch.cat([torch.randn(100, 3), torch.full((100, 1), 7.0) + 1e-7 * torch.randn(100, 1)], 1)
    scaled = standardised(feature)
    assert scaled[:, 3].abs().max() < 1e-3
    assert scaled[:, :3].std(0).tolist() == pytest.approx([1, 1, 1], abs=0.02)
    assert standardised(torch.zeros(5, 3)).abs().max() == 0
