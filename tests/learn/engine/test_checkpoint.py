"""A training's files and its checkpoints, without a training."""

from __future__ import annotations

import pytest
import torch

from facelet.errors import FaceletError
from facelet.learn.device.precision import Precision
from facelet.learn.engine import checkpoint
from facelet.learn.engine.checkpoint import CURVES, Checkpoints, CurvePoint, TrainingFolder
from facelet.learn.engine.schedule import by_epochs

POINT = CurvePoint(1.0, 10, 2.5, 0.002, 1.25, 1.5, 0.4)


@pytest.fixture
def folder(tmp_path):
    return TrainingFolder(tmp_path, "0123")


def test_a_plan_is_read_as_it_was_written_and_only_by_its_own_training(folder, tmp_path):
    schedule, precision = by_epochs(3, steps_per_epoch=10, train=100, val=20), Precision(bf16=True, channels_last=False)
    assert folder.load_plan() == (None, None)
    folder.save_plan(schedule, precision)
    assert TrainingFolder(tmp_path, "0123").load_plan() == (schedule, precision)
    folder.save_plan(None, precision)
    assert folder.load_plan() == (None, precision)
    with pytest.raises(FaceletError, match="other settings, faces or seed"):
        TrainingFolder(tmp_path, "4567")
    folder.plan_path.write_text('{"training": "0123", "schedule": null}')
    with pytest.raises(FaceletError, match=r"plan\.json is damaged: 'precision'; delete"):
        folder.load_plan()


def test_there_is_a_result_when_the_net_is_there(folder):
    folder.save_plan(None, Precision(False, False))
    folder.write_result({"steps": 3})
    assert folder.result() is None
    folder.net_path.touch()
    assert folder.result() == {"steps": 3}


def test_curves_are_a_table(folder):
    folder.write_curves([POINT])
    assert folder.curves_path.read_text() == ",".join(CURVES) + "\n1,10,2.5,0.002,1.25,1.5,0.4\n"


def test_a_damaged_state_is_named(folder):
    assert folder.load_state() is None
    folder.save_state({"done": 3, "weights": torch.arange(4)})
    assert torch.equal(folder.load_state()["weights"], torch.arange(4))
    whole = folder.state_path.read_bytes()
    for data in (whole[: len(whole) // 2], b""):
        folder.state_path.write_bytes(data)
        with pytest.raises(FaceletError, match=r"state\.pt is damaged"):
            folder.load_state()
    folder.clear_state()
    folder.clear_state()
    assert folder.load_state() is None


def test_a_checkpoint_gives_every_part_its_state_back(folder):
    parts = {"net": torch.nn.Linear(2, 1), "other": torch.nn.Linear(1, 1)}
    kept = {name: part.weight.detach().clone() for name, part in parts.items()}
    keeper = Checkpoints(folder, parts)
    assert keeper.load() == (0, 0.0, [])
    keeper.save(10, 2.5, [POINT])
    for part in parts.values():
        torch.nn.init.zeros_(part.weight)
    assert Checkpoints(folder, parts).load() == (10, 2.5, [POINT])
    assert all(torch.equal(part.weight, kept[name]) for name, part in parts.items())


def test_one_is_due_after_a_time_that_its_cost_is_small_beside(folder, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(folder, "save_state", lambda state: now.__setitem__(0, now[0] + 2))
    keeper = Checkpoints(folder, {})
    now[0] = checkpoint.SECONDS - 1
    assert not keeper.due
    now[0] = checkpoint.SECONDS
    assert keeper.due
    keeper.save(1, 1.0, [])
    saved = now[0]
    now[0] = saved + 2 * checkpoint.COST - 1
    assert not keeper.due
    now[0] = saved + 2 * checkpoint.COST
    assert keeper.due
