"""Trains a net on Lightning Fabric, in one process or several.

>>> result = train(config, job, device)

What is ours is what makes a resume exact, bit for bit in one process on a CPU: state saved between steps every so
often, every random number from (seed, step), and a schedule fixed once. The final running mean of the weights is what is
kept: the cycle ends where it is best, and nothing is selected, so that the validation accuracy stays an honest estimate.
"""

from __future__ import annotations

from typing import Any

import torch
from timm.layers import convert_sync_batchnorm

from facelet.errors import FaceletError
from facelet.io import files
from facelet.learn.device.interrupt import Interrupt
from facelet.learn.device.launch import launch
from facelet.learn.engine.config import TrainingConfig
from facelet.learn.engine.fabric import make_fabric, quiet
from facelet.learn.engine.loop import Loop
from facelet.learn.engine.supervised import SupervisedTraining
from facelet.learn.engine.trainable import LoopOptions
from facelet.step import StepContext


def train(config: TrainingConfig, job: StepContext, device: torch.device) -> dict[str, Any]:
    """Trains, or goes on where an earlier call in the same folder was killed; returns ``result.json``'s content.

    Leaves ``net.safetensors``, ``curves.csv``, ``plan.json`` and ``result.json`` in the folder. With several devices and
    no launcher (torchrun, SLURM) Fabric starts the other processes for the training alone; with one, all call this.

    Raises FaceletError when the loss is not finite any more, or when the user stops it.
    """
    folder, processes = config.folder, job.devices * job.nodes
    launched = launch() if processes > 1 else None
    spawned = processes > 1 and not launched
    if job.nodes > 1 and not launched:
        raise FaceletError(f"{job.nodes} nodes need a launcher: start the command on each with torchrun or SLURM")
    if device.type == "cuda" and job.devices > torch.cuda.device_count():
        raise FaceletError(f"{job.devices} devices were asked for, and torch finds {torch.cuda.device_count()} here")
    if config.batches.size % processes:
        raise FaceletError(
            f"a batch of {config.batches.size} faces does not divide by {processes} processes; "
            "it counts those of all together"
        )
    if config.precision.channels_last:
        config.net.to(memory_format=torch.channels_last)
        config.objective.normalise.channels_last = True
    if device.type == "cuda" and processes > 1:
        synchronise(config)
    interrupt = Interrupt(terminate=processes == 1)
    training, options = SupervisedTraining(config), options_of(config)
    loop = Loop(training, options, interrupt) if spawned else Loop(training, options, interrupt, job.console, job.say)
    if job.leads:
        folder.stopped_path.unlink(missing_ok=True)
    with torch.random.fork_rng(devices=[]), quiet(), interrupt:
        fabric = make_fabric(
            device, bf16=config.precision.bf16, devices=job.devices, nodes=job.nodes, launched=launched
        )
        try:
            fabric.launch(loop.run)
        except FaceletError:
            raise
        except (Exception, KeyboardInterrupt) as error:
            if folder.stopped_path.exists():
                raise FaceletError(files.read_json(folder.stopped_path)["error"]) from error
            if interrupt.asked:
                raise FaceletError(loop.how_to_continue()) from error
            raise
        finally:
            if job.leads:
                folder.stopped_path.unlink(missing_ok=True)
    return files.read_json(folder.result_path)


def options_of(config: TrainingConfig) -> LoopOptions:
    """What the loop has to know of a training."""
    batches = config.batches
    counts = {"steps_per_epoch": batches.steps_per_epoch, "train": batches.epoch, "val": len(config.exam.faces)}
    return LoopOptions(
        name=config.name,
        folder=config.folder,
        batch=batches.size,
        counts=counts,
        schedule=config.schedule,
        seconds=config.seconds,
        precision=config.precision,
        warmup=config.warmup,
        tensorboard=config.tensorboard,
    )


def synchronise(config: TrainingConfig) -> None:
    """Lets batch norms see the faces of all processes, in place; weights and their names stay.

    By timm's converter: torch's own loses the activation inside timm's batch norms.
    """
    config.net = convert_sync_batchnorm(config.net)
    config.objective = convert_sync_batchnorm(config.objective)
