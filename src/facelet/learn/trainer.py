"""The training loop: a net, an objective and batches on Lightning's Trainer, which brings devices, precision and DDP.

>>> train(Training(net, spec, objective, batches, val, options, folder=job.folder, fingerprint=...), job)

What is ours is what makes a resume exact: state saved between steps every so often, every random number from
(seed, step), and a schedule fixed once. The final running mean of the weights is what is kept: the cycle ends where it is
best, and nothing is selected, so the validation accuracy is an honest estimate.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.fabric.plugins.environments import SLURMEnvironment, TorchElasticEnvironment
from rich.console import Console
from torch import nn

from facelet import files
from facelet.errors import FaceletError
from facelet.learn.batches import FaceBatches, Faces
from facelet.learn.learner import Learner, Options
from facelet.learn.objective import Objective
from facelet.learn.state import TrainingFolder
from facelet.nets import FaceNet, NetSpec
from facelet.step import Job

STOPPED = "stopped.json"
"""Where a process that Lightning started leaves the error that this one raises for it."""


@dataclass
class Training:
    """All that one training is: see Learner for the parts."""

    net: FaceNet
    spec: NetSpec
    objective: Objective
    batches: FaceBatches
    val: Faces
    options: Options
    folder: TrainingFolder


def train(training: Training, job: Job) -> dict[str, Any]:
    """Trains, or goes on where an earlier call in the same folder was killed; returns ``result.json``'s content.

    Leaves ``net.safetensors``, ``curves.csv``, ``plan.json`` and ``result.json`` in the folder.

    Raises FaceletError when the loss is not finite any more, or when the user stops it.
    """
    folder = training.folder
    device, apart = training.options.device, job.devices > 1 and not _launched()
    if job.nodes > 1 and not _launched():
        raise FaceletError(
            f"{job.nodes} nodes need a launcher: start the same command on each with torchrun, or as a SLURM job"
        )
    console = getattr(job.say, "__self__", None)
    learner = Learner(
        training.net,
        training.spec,
        training.objective,
        training.batches,
        training.val,
        training.options,
        folder,
        console=console if isinstance(console, Console) and not apart else None,
        say=None if apart else job.say,
    )
    stopped = folder.folder / STOPPED
    stopped.unlink(missing_ok=True)
    with _quiet(), _seeded(), learner.interruptible(alone=job.devices * job.nodes == 1):
        trainer = L.Trainer(
            accelerator="gpu" if device == "cuda" else "cpu",
            devices=job.devices,
            num_nodes=job.nodes,
            strategy=_strategy(job, apart),
            precision="bf16-mixed" if training.options.precision.bf16 else "32-true",
            sync_batchnorm=device == "cuda" and job.devices * job.nodes > 1,
            max_epochs=-1,
            benchmark=device == "cuda",
            default_root_dir=folder.folder,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
            num_sanity_val_steps=0,
            limit_val_batches=0,
        )
        try:
            trainer.fit(learner, train_dataloaders=training.batches)
        except (Exception, SystemExit) as error:
            if isinstance(error, FaceletError):
                raise
            if stopped.exists():
                raise FaceletError(files.read_json(stopped)["error"]) from error
            if learner.interrupted or isinstance(error, SystemExit):
                raise FaceletError(learner.how_to_continue()) from error
            if isinstance(error, torch.OutOfMemoryError):
                raise FaceletError(f"{job.name}: out of GPU memory at batch {training.batches.size}; try half of it") from error
            raise
        finally:
            stopped.unlink(missing_ok=True)
    return files.read_json(folder.result_path)
