from __future__ import annotations

import pytest
import torch

from facelet.errors import FaceletError
from facelet.learn.engine.loss_monitor import LossMonitor

CPU = torch.device("cpu")


def test_the_watch_names_the_first_bad_step_and_keeps_a_mean():
    watch = LossMonitor(CPU)
    for value in (1.0, 2.0, 3.0):
        watch.add(torch.tensor(value))
    watch.check(3, steps_per_epoch=10)
    assert watch.mean.item() == 2
    other = LossMonitor(CPU)
    other.load_state_dict(watch.state_dict())
    assert other.mean.item() == 2
    watch.add(torch.tensor(1.0), torch.tensor(5.0))
    watch.add(torch.tensor(1.0), torch.tensor(float("inf")))
    watch.add(torch.tensor(float("nan")))
    with pytest.raises(FaceletError, match=r"nan at step 5 \(epoch 0\.40\)"):
        watch.check(6, steps_per_epoch=10)
    watch.restart()
    assert watch.mean.item() == 0
