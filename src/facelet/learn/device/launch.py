"""Detects whether torchrun or srun has started this process as one of several.

>>> launched = launch()
>>> if launched: launched.require(devices=2, nodes=1)

A SLURM batch script that does not use ``srun`` is a single process, whatever resources the job has.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from facelet.errors import FaceletError


@dataclass(frozen=True)
class Launch:
    """A launch of several processes.

    Attributes:
        by: the launcher.
        rank: number of this process; 0 leads.
        world: number of processes.
        nodes: number of machines.
        id: the same in all processes, and different for every launch.
    """

    by: Literal["torchrun", "srun"]
    rank: int
    world: int
    nodes: int
    id: str

    def require(self, devices: int, nodes: int) -> None:
        """Raises FaceletError, with the right options, when --devices and --nodes do not match the launch."""
        if devices * nodes != self.world or nodes != self.nodes:
            each = self.world // self.nodes
            raise FaceletError(
                f"{self.by} started {self.world} processes on {self.nodes} nodes, but --devices {devices} --nodes {nodes} "
                f"means {devices * nodes}; use --devices {each} --nodes {self.nodes}"
            )


def launch(environment: Mapping[str, str] = os.environ) -> Launch | None:
    """The launch of this process, or None for a single process.

    With torchrun on several machines the id is that of ``--rdzv-id``, which should be new for each launch.
    Raises FaceletError when srun was started without ``--ntasks-per-node``, which Lightning needs.
    """
    get = environment.get
    if "TORCHELASTIC_RUN_ID" in environment:
        nodes = int(get("GROUP_WORLD_SIZE", "1"))
        name = f"{get('TORCHELASTIC_RUN_ID')}-{get('TORCHELASTIC_RESTART_COUNT', '0')}"
        if nodes == 1:  # the default id is "none", but the processes have the same parent
            name += f"-{os.getppid()}"
        return Launch("torchrun", int(get("RANK", "0")), int(get("WORLD_SIZE", "1")), nodes, name)
    tasks = int(get("SLURM_STEP_NUM_TASKS", "1"))
    if tasks == 1:
        return None
    if "SLURM_NTASKS_PER_NODE" not in environment:
        raise FaceletError(
            f"srun started {tasks} processes without a placement; also give --nodes and --ntasks-per-node"
        )
    name = "-".join(get(f"SLURM_{part}", "0") for part in ("JOB_ID", "STEP_ID", "RESTART_COUNT"))
    return Launch("srun", int(get("SLURM_PROCID", "0")), tasks, int(get("SLURM_STEP_NUM_NODES", "1")), name)
