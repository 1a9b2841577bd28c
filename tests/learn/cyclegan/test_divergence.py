"""When a translation is called broken."""

from __future__ import annotations

import torch

from facelet.learn.cyclegan.divergence import Divergence

FACES = torch.tensor([-1.0, 1.0]).view(2, 1, 1, 1)


def test_faces_that_come_back_worse_than_blank_ones_are_trouble():
    watch = Divergence(torch.device("cpu"))
    blank = 2.0  # both classes are 1 away from their mean
    watch.add(torch.tensor(blank + 0.1), FACES, FACES)
    assert watch.problem(50) == "", "it begins there"
    watch.add(torch.tensor(blank + 0.1), FACES, FACES)
    watch.add(torch.tensor(blank - 0.2), FACES, FACES)
    assert watch.problem(100) == "", "on average they come back nearer"
    watch.add(torch.tensor(blank + 0.1), FACES, FACES)
    assert "at step 150 reconstructed faces are worse than blank ones" in watch.problem(150)
    assert watch.problem(200) == "", "every look begins anew"


def test_a_look_that_is_broken_off_goes_on():
    watch, other = Divergence(torch.device("cpu")), Divergence(torch.device("cpu"))
    watch.add(torch.tensor(1.0), FACES, FACES)
    watch.problem(50)
    watch.add(torch.tensor(9.0), FACES, FACES)
    other.load_state_dict(watch.state_dict())
    assert other.problem(100) == watch.problem(100) != ""


def test_setbacks_halve_the_rate_and_are_remembered():
    watch, other = Divergence(torch.device("cpu")), Divergence(torch.device("cpu"))
    watch.setbacks = 2
    other.load_state_dict(watch.state_dict())
    assert (other.setbacks, other.factor) == (2, 0.25)
