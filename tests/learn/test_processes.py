"""Two processes train as one does: the same curve at the same global batch."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from facelet.errors import FaceletError
from facelet.faces import load

# layer norms only: batch norms see each process's own faces on a CPU, and their losses differ in the second digit
NET = {"net": "timm/test_convnext", "net_options": {}, "batch": 32, "precision": "fp32", "clip": 1.0}

TRAIN = """
import json, sys
from pathlib import Path
import facelet.learn
from facelet.faces import load
from facelet.step import STEPS, Job
if __name__ == "__main__":
    step = STEPS["train"].model_validate(json.loads(sys.argv[1]))
    step.run(Job("net", Path(sys.argv[2]), load("toy?faces=160", size=32), {}, device="cpu", devices=2))
"""


def curve(folder):
    with (folder / "curves.csv").open() as file:
        return [[float(row[key]) for key in ("train_loss", "val_loss", "val_accuracy")] for row in csv.DictReader(file)]


def test_two_processes_have_the_curve_of_one(step, job, tmp_path):
    fields = {"epochs": 4, **NET}
    alone, together = job("alone", faces=load("toy?faces=160", size=32)), job("together")
    step(**fields).run(alone)
    script = tmp_path / "train.py"
    script.write_text(TRAIN)
    arguments = [json.dumps({"do": "train", "as": "net", **fields}), str(together.folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, str(script), *arguments], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    expected, found = curve(alone.folder), curve(together.folder)
    assert len(found) >= 2
    for one, two in zip(expected, found, strict=True):
        assert two == pytest.approx(one, rel=1e-4)
    assert expected[0][0] != pytest.approx(expected[-1][0], rel=1e-2), "nothing was learned, so nothing was compared"


def test_an_error_in_a_process_is_told_as_if_there_were_one(step, job, monkeypatch):
    import lightning

    work = job(devices=2)

    def fit(trainer, learner, train_dataloaders):
        """What is left of Lightning when a process that it started has ended with an error."""
        monkeypatch.setattr(type(learner), "trainer", SimpleNamespace(world_size=2))
        with contextlib.suppress(FaceletError), learner._told():
            raise FaceletError("the loss is nan")
        raise RuntimeError("process 1 terminated")

    monkeypatch.setattr(lightning.Trainer, "fit", fit)
    with pytest.raises(FaceletError, match="the loss is nan"):
        step(epochs=1).run(work)
    assert not (work.folder / "stopped.json").exists()
