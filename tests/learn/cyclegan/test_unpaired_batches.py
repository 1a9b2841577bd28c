"""Batches of two classes: drawn from the step's number alone, every face once before any comes twice."""

from __future__ import annotations

import numpy as np
import torch

from facelet.learn.cyclegan import unpaired_batches as room
from facelet.learn.cyclegan.unpaired_batches import Pairs

CPU = torch.device("cpu")


def classes(one=12, other=5):
    rng = np.random.default_rng(0)
    return (rng.integers(0, 256, (count, 8, 8, 1), np.uint8) for count in (one, other))


def test_a_step_has_its_faces_and_another_has_others():
    pairs = Pairs(*classes(), batch=4, seed=1)
    again, other = Pairs(*classes(), batch=4, seed=1), Pairs(*classes(), batch=4, seed=2)
    for mine, same in zip(pairs.at(7, 0, CPU), again.at(7, 0, CPU), strict=True):
        assert mine.shape == (4, 1, 8, 8)
        assert -1 <= mine.min() < mine.max() <= 1
        assert torch.equal(mine, same)
    for different in (pairs.at(8, 0, CPU), pairs.at(7, 1, CPU), other.at(7, 0, CPU)):
        assert not torch.equal(pairs.at(7, 0, CPU)[0], different[0])


def test_every_face_is_seen_once_an_epoch(monkeypatch):
    seen = []
    monkeypatch.setattr(room, "apply", lambda faces, params: seen.append(faces) or faces.float())
    pairs = Pairs(*classes(), batch=4, seed=0)
    assert pairs.steps_per_epoch == 3
    for step in range(3):
        pairs.at(step, 0, CPU)
    whole = torch.cat(seen[::2]).flatten(1).sum(1)
    assert sorted(whole.tolist()) == sorted(pairs.classes[0].flatten(1).sum(1).tolist())
