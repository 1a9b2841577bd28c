"""Trains a net on Lightning Fabric, in one process or several.

>>> result = train(config, job, device)

Facelet adds what makes a resume exact (bit for bit in one process on a CPU): checkpoints between steps, random numbers derived from
(seed, step), and a schedule that is saved. The result is the final moving average of the weights. No checkpoint is selected by its
validation accuracy, so this accuracy is not biased by a selection.
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
    """Trains, or resumes an interrupted training in the same folder; returns the content of ``result.json``.

    Writes ``net.safetensors``, ``curves.csv``, ``plan.json`` and ``result.json`` to the folder. With several devices and no
    launcher (torchrun, SLURM) Fabric starts the other processes for this training; with a launcher every process calls this.

    Raises FaceletError when the loss is not finite, or when the user stops the training.
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
            "batch counts the faces of all processes together"
        )
    if config.precision.channels_last:
        config.net.to(memory_format=torch.channels_last)
        config.objective.normalise.channels_last = True
    if device.type == "cuda" and processes > 1:
        synchronise(config)
    interrupt = Interrupt(terminate=not launched, pass_on=spawned)
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
    """The loop's options for a training."""
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
    """Converts batch norms to synchronized ones; the names of the weights do not change.

    It uses timm's converter, because torch's loses the activation inside timm's batch norms.
    """
    config.net = convert_sync_batchnorm(config.net)
    config.objective = convert_sync_batchnorm(config.objective)
