from __future__ import annotations

import torch

from facelet.faces.pairset import draw_pairs
from facelet.learn.engine.val_metrics import VerificationMetric


def test_an_exam_on_pairs_adds_up_over_processes(people):
    pairs = draw_pairs(people.split("val"), 50)
    exam = VerificationMetric(pairs, 3)
    answers = torch.randn(len(exam.faces), 3)
    rows = torch.arange(len(exam.faces))
    whole, halves = exam.blank(torch.device("cpu")), []
    exam.add(whole, rows, answers)
    for part in (rows[::2], rows[1::2]):
        sums = exam.blank(torch.device("cpu"))
        exam.add(sums, part, answers[part])
        halves.append(sums)
    assert exam.grade(whole) == exam.grade(sum(halves))
    people_alone = torch.nn.functional.one_hot(torch.from_numpy(people.split("val").identities)).float()
    exam = VerificationMetric(pairs, people_alone.shape[1])
    sums = exam.blank(torch.device("cpu"))
    exam.add(sums, rows, people_alone)
    assert exam.grade(sums) == (0.0, 1.0)
