"""Who started this process: torchrun or srun, with others beside it, or the user alone.

>>> started = launch()
>>> if started: started.require(devices=2, nodes=1)

A batch script of SLURM that does not use ``srun`` is one process like any other, whatever the job was given.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from facelet.errors import FaceletError


@dataclass(frozen=True)
class Launch:
    """One start of several processes.

    Attributes:
        by: who started them.
        rank, world: this process, and how many there are; 0 leads.
        nodes: machines that they are on.
        id: the same in all of them, and another for every launch.
    """

    by: Literal["torchrun", "srun"]
    rank: int
    world: int
    nodes: int
    id: str

    def require(self, devices: int, nodes: int) -> None:
        """Raises FaceletError, saying what to type, when --devices and --nodes do not make these processes."""
        if devices * nodes != self.world or nodes != self.nodes:
            each = self.world // self.nodes
            raise FaceletError(
                f"{self.by} started {self.world} processes on {self.nodes} nodes, and --devices {devices} --nodes {nodes} "
                f"asks for {devices * nodes}; type --devices {each} --nodes {self.nodes}"
            )


def launch(environment: Mapping[str, str] = os.environ) -> Launch | None:
    """How this process was started, or None when it was not started together with others.

    With torchrun on several machines the id is that of ``--rdzv-id``, which should be a new one each time.
    Raises FaceletError when srun was not told ``--ntasks-per-node``, which Lightning goes by.
    """
    found = environment.get
    if "TORCHELASTIC_RUN_ID" in environment:
        nodes = int(found("GROUP_WORLD_SIZE", "1"))
        name = f"{found('TORCHELASTIC_RUN_ID')}-{found('TORCHELASTIC_RESTART_COUNT', '0')}"
        if nodes == 1:  # its id is "none" unless the user gave one, but the processes have one parent
            name += f"-{os.getppid()}"
        return Launch("torchrun", int(found("RANK", "0")), int(found("WORLD_SIZE", "1")), nodes, name)
    tasks = int(found("SLURM_STEP_NUM_TASKS", "1"))
    if tasks == 1:
        return None
    if "SLURM_NTASKS_PER_NODE" not in environment:
        raise FaceletError(
            f"srun started {tasks} processes; say how they are placed, too: --nodes and --ntasks-per-node"
        )
    name = "-".join(found(f"SLURM_{part}", "0") for part in ("JOB_ID", "STEP_ID", "RESTART_COUNT"))
    return Launch("srun", int(found("SLURM_PROCID", "0")), tasks, int(found("SLURM_STEP_NUM_NODES", "1")), name)
