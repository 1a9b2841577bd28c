"""Who started a process, and whether --devices and --nodes agree with it."""

from __future__ import annotations

import os

import pytest

from facelet.errors import FaceletError
from facelet.learn.device.launch import launch

TORCHRUN = {"TORCHELASTIC_RUN_ID": "none", "TORCHELASTIC_RESTART_COUNT": "1", "RANK": "3", "WORLD_SIZE": "4"}
SRUN = {"SLURM_JOB_ID": "7", "SLURM_STEP_ID": "2", "SLURM_PROCID": "1", "SLURM_STEP_NUM_TASKS": "4"}
PLACED = {**SRUN, "SLURM_STEP_NUM_NODES": "2", "SLURM_NTASKS_PER_NODE": "2"}


def test_alone():
    assert launch({}) is None
    batch_script = {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "4", "SLURM_PROCID": "0"}
    assert launch(batch_script) is None
    assert launch({**SRUN, "SLURM_STEP_NUM_TASKS": "1"}) is None


def test_torchrun():
    found = launch({**TORCHRUN, "GROUP_WORLD_SIZE": "1"})
    assert (found.by, found.rank, found.world, found.nodes) == ("torchrun", 3, 4, 1)
    assert found.id == f"none-1-{os.getppid()}"
    assert launch({**TORCHRUN, "GROUP_WORLD_SIZE": "2"}).id == "none-1"


def test_srun():
    found = launch(PLACED)
    assert (found.by, found.rank, found.world, found.nodes, found.id) == ("srun", 1, 4, 2, "7-2-0")
    with pytest.raises(FaceletError, match="--ntasks-per-node"):
        launch(SRUN)


def test_it_says_what_to_type():
    found = launch({**TORCHRUN, "GROUP_WORLD_SIZE": "2"})
    found.require(devices=2, nodes=2)
    with pytest.raises(FaceletError, match=r"4 processes on 2 nodes.* use --devices 2 --nodes 2"):
        found.require(devices=1, nodes=1)
    with pytest.raises(FaceletError, match="use --devices 2 --nodes 2"):
        found.require(devices=4, nodes=1)
