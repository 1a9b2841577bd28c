"""Two processes train as one does: the same curve at the same global batch."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import signal
import subprocess
import sys
import time
from subprocess import PIPE, Popen
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from facelet import nets
from facelet.errors import FaceletError
from facelet.faces import load
from facelet.learn.engine.fabric import Fabric
from facelet.learn.engine.fit import synchronise
from facelet.learn.tasks.task import ClassificationTask

# layer norms only: batch norms see each process's own faces on a CPU, and their losses differ in the second digit
NET = {"net": "timm/test_convnext", "net_options": {}, "batch": 32, "precision": "fp32", "clip": 1.0}

TRAIN = """
import json, sys
from pathlib import Path
import facelet.learn
from facelet.faces import load
from facelet.step import STEPS, StepContext
if __name__ == "__main__":
    step = STEPS["train"].model_validate(json.loads(sys.argv[1]))
    step.run(StepContext("net", Path(sys.argv[2]), load("toy?faces=160", size=32), {}, device="cpu", devices=2))
"""


def curve(folder):
    with (folder / "curves.csv").open() as file:
        return [[float(row[key]) for key in ("train_loss", "val_loss", "val_accuracy")] for row in csv.DictReader(file)]


ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def command(code, fields, folder):
    script = folder / "train.command.py"
    script.write_text(code)
    return [sys.executable, str(script), json.dumps({"do": "train", "as": "net", **fields}), str(folder)]


def train(code, fields, folder):
    return subprocess.run(command(code, fields, folder), env=ENVIRONMENT, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_two_processes_have_the_curve_of_one(step, job):
    fields = {"epochs": 4, **NET}
    alone, together = job("alone", faces=load("toy?faces=160", size=32)), job("together")
    step(**fields).run(alone)
    done = train(TRAIN, fields, together.folder)
    assert (done.returncode, done.stderr) == (0, "")
    expected, found = curve(alone.folder), curve(together.folder)
    assert len(found) >= 2
    for one, two in zip(expected, found, strict=True):
        assert two == pytest.approx(one, rel=1e-4)
    assert expected[0][0] != pytest.approx(expected[-1][0], rel=1e-2), "nothing was learned, so nothing was compared"


MACHINES = """
import torch
from facelet.learn.engine import stopwatch
from facelet.learn.engine.ema import Ema
now, plain = [0.0], Ema.update
stopwatch.clock = lambda: now[0]
def update(self, step):
    plain(self, step)
    now[0] += 5.0 if torch.distributed.get_rank() else 0.5 if step < 20 else 0.1
Ema.update = update
"""
"""The first process's steps take half a second and then a tenth, the other's five seconds."""


@pytest.mark.slow
def test_the_first_process_says_how_many_steps_fit_into_minutes(tmp_path):
    done = train(MACHINES + TRAIN, {"minutes": 0.25, **NET}, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    schedule = json.loads((tmp_path / "plan.json").read_text())["schedule"]
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["seconds"] == pytest.approx(15, rel=0.1)
    assert result["steps"] == schedule["total"] > 50
    assert len(schedule["marks"]) > 1


SICK = """
import torch
from facelet.learn.tasks.task import ClassificationTask
plain = ClassificationTask.forward
def forward(self, net, batch):
    return {"ce": plain(self, net, batch)["ce"] * (float("nan") if torch.distributed.get_rank() else 1)}
ClassificationTask.forward = forward
"""


@pytest.mark.slow
def test_a_loss_that_is_not_finite_in_one_process_ends_all(tmp_path):
    done = train(SICK + TRAIN, {"epochs": 4, **NET}, tmp_path)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("facelet.errors.FaceletError: net: the loss or its gradient is nan at step 1 ")
    assert not (tmp_path / "stopped.json").exists()


def test_an_error_in_a_process_is_told_as_if_there_were_one(step, job, monkeypatch):
    work = job(devices=2)

    def launch(fabric, function):
        """What is left of Fabric when a process that it started has ended with an error."""
        loop = function.__self__
        with contextlib.suppress(FaceletError), loop._reported(world=2):
            raise FaceletError("the loss is nan")
        raise RuntimeError("process 1 terminated")

    monkeypatch.setattr(Fabric, "launch", launch)
    with pytest.raises(FaceletError, match="the loss is nan"):
        step(epochs=1).run(work)
    assert not (work.folder / "stopped.json").exists()


def test_batch_norms_are_synchronised_without_losing_anything():
    """timm's batch norms hold an activation, which torch's own converter drops."""
    spec = nets.resolve("timm/mobilenetv3_small_050", classes=4, size=32, channels=1, mean=(0.5,), std=(0.2,))
    net = spec.build().eval()
    faces = torch.randn(3, 1, 32, 32)
    expected = net(faces)
    objective = ClassificationTask(spec)
    training = SimpleNamespace(net=net, objective=objective)
    synchronise(training)
    assert training.net is net
    assert training.objective is objective
    assert any(isinstance(module, nn.SyncBatchNorm) for module in net.modules())
    assert torch.equal(net(faces), expected)
    spec.build().load_state_dict(net.state_dict())


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_first_process_alone_stops_all_and_the_training_resumes(tmp_path, number):
    fields = {"epochs": 3000, **NET}
    with Popen(command(TRAIN, fields, tmp_path), env=ENVIRONMENT, stderr=PIPE, text=True) as process:
        for _ in range(1200):
            if (tmp_path / "curves.csv").exists() or process.poll() is not None:
                break
            time.sleep(0.1)
        process.send_signal(number)
        _, errors = process.communicate(timeout=120)
    assert "stopped after step" in errors.splitlines()[-1]
    assert (tmp_path / "state.pt").exists()
