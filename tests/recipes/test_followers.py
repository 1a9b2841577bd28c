"""Under torchrun there is one run: the first process leads it, the others train with it and end with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time

import pytest

from facelet.errors import FaceletError
from facelet.io import files
from facelet.learn.device.launch import Launch
from facelet.recipes import followers as following
from facelet.recipes.followers import follow, leading
from facelet.step import Hardware

RECIPE = """
title: Small
faces: {source: toy, size: 32, channels: 1, faces: 200, noise: 0}
steps:
  - {do: train, as: student, net: timm/test_convnext, epochs: 1, batch: 32, precision: fp32}
  - {do: quantize, as: student-int8, of: student, faces: 32, allowance: 20}
controls:
  - {do: train, as: tuned, of: student, epochs: 1, batch: 32, precision: fp32}
"""
TORCHRUN = ("-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_addr", "127.0.0.1", "--master_port")
LED = Launch("torchrun", 0, 2, 1, "this")
FOLLOWED = Launch("torchrun", 1, 2, 1, "this")


def facelet(*arguments: object, started_by: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *started_by, "-m", "facelet.cli", "run", *map(str, arguments), "--device", "cpu"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=500)


def figures(folder):
    rows = json.loads((folder / "ledger.json").read_text())
    names = ("name", "accuracy", "val_accuracy", "params", "n")
    return [[row[name] for name in names] for row in rows if row["name"] != "student-int8"]


@pytest.mark.slow
def test_torchrun_makes_the_run_of_one_command(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(RECIPE)
    done = facelet(path, "--out", tmp_path / "led", "--devices", 2, started_by=(*TORCHRUN, "29517"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("ledger.md") == 1
    alone = facelet(path, "--out", tmp_path / "alone", "--devices", 2)
    assert alone.returncode == 0, alone.stderr
    assert figures(tmp_path / "led") == figures(tmp_path / "alone")
    again = facelet(path, "--out", tmp_path / "led", "--devices", 2, started_by=(*TORCHRUN, "29517"))
    assert again.returncode != 0
    assert "already holds a run" in again.stderr


@pytest.mark.slow
def test_devices_that_the_launcher_did_not_start_are_refused(tmp_path):
    done = facelet("--out", tmp_path / "run", started_by=(*TORCHRUN, "29518"))
    assert done.returncode != 0
    assert "use --devices 2 --nodes 1" in done.stderr.replace("\n", " ")
    assert not (tmp_path / "run").exists()


def test_an_error_of_the_leader_ends_the_followers(tmp_path, monkeypatch):
    monkeypatch.setattr(following, "POLL", 0.01)
    errors: list[str] = []

    def followed():
        try:
            follow(tmp_path, Hardware(devices=2), FOLLOWED)
        except FaceletError as error:
            errors.append(str(error))

    files.write_json(tmp_path / following.MARKER, {"launch": "an earlier one", "error": "of then"})
    thread = threading.Thread(target=followed, daemon=True)
    thread.start()
    time.sleep(0.1)
    assert thread.is_alive(), "it took the error of an earlier launch for its own"
    with pytest.raises(FaceletError, match="no such net"), leading(tmp_path, LED):
        raise FaceletError("no such net")
    thread.join(120)
    assert errors == ["the leading process ended: no such net"]


def test_alone_nothing_is_left(tmp_path):
    with leading(tmp_path, None) as begin:
        begin()
    assert not list(tmp_path.iterdir())
