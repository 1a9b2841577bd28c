"""Runs a training on Lightning's Trainer, which brings devices, precision and DDP.

>>> result = train(training, job)

What is ours is what makes a resume exact, bit for bit in one process on a CPU: state saved between steps every so
often, every random number from (seed, step), and a schedule fixed once. The final running mean of the weights is what is
kept: the cycle ends where it is best, and nothing is selected, so that the validation accuracy stays an honest estimate.
"""

from __future__ import annotations

from typing import Any

import torch
from rich.console import Console
from timm.layers import convert_sync_batchnorm

from facelet.errors import FaceletError
from facelet.io import files
from facelet.learn.device.interrupt import Interrupt
from facelet.learn.device.launch import Launch, launch
from facelet.learn.engine.config import TrainingConfig
from facelet.learn.engine.lightning import (
    DDPStrategy,
    LightningEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
    quiet_trainer,
)
from facelet.learn.engine.loop import Learner
from facelet.step import StepContext


def train(training: TrainingConfig, job: StepContext, device: torch.device) -> dict[str, Any]:
    """Trains, or goes on where an earlier call in the same folder was killed; returns ``result.json``'s content.

    Leaves ``net.safetensors``, ``curves.csv``, ``plan.json`` and ``result.json`` in the folder. With several devices and
    no launcher (torchrun, SLURM) Lightning starts the other processes for the training alone; with one, all call this.

    Raises FaceletError when the loss is not finite any more, or when the user stops it.
    """
    folder, processes = training.folder, job.devices * job.nodes
    launched = launch() if processes > 1 else None
    apart = processes > 1 and not launched
    if job.nodes > 1 and not launched:
        raise FaceletError(f"{job.nodes} nodes need a launcher: start the command on each with torchrun or SLURM")
    if device.type == "cuda" and job.devices > torch.cuda.device_count():
        raise FaceletError(f"{job.devices} devices were asked for, and torch finds {torch.cuda.device_count()} here")
    if training.batches.size % processes:
        raise FaceletError(
            f"a batch of {training.batches.size} faces does not divide by {processes} processes; "
            "it counts those of all together"
        )
    if training.precision.channels_last:
        training.net.to(memory_format=torch.channels_last)
        training.objective.normalise.channels_last = True
    if device.type == "cuda" and processes > 1:
        synchronise(training)
    console = getattr(job.say, "__self__", None)
    interrupt = Interrupt(terminate=processes == 1)
    if apart:
        learner = Learner(training, interrupt)
    else:
        learner = Learner(training, interrupt, console if isinstance(console, Console) else None, job.say)
    if job.leads:
        folder.stopped_path.unlink(missing_ok=True)
    with torch.random.fork_rng(devices=[]), interrupt:
        trainer = quiet_trainer(
            device,
            folder.folder,
            bf16=training.precision.bf16,
            devices=job.devices,
            num_nodes=job.nodes,
            strategy=DDPStrategy(start_method="spawn" if apart else "popen") if processes > 1 else "auto",
            plugins=[_environment(launched)],
        )
        try:
            trainer.fit(learner, train_dataloaders=training.batches)
        except FaceletError:
            raise
        except (Exception, SystemExit) as error:
            if folder.stopped_path.exists():
                raise FaceletError(files.read_json(folder.stopped_path)["error"]) from error
            if interrupt.asked:
                raise FaceletError(learner.how_to_continue()) from error
            raise
        finally:
            learner.close()
            if job.leads:
                folder.stopped_path.unlink(missing_ok=True)
    return files.read_json(folder.result_path)


def synchronise(training: TrainingConfig) -> None:
    """Lets batch norms see the faces of all processes, in place; weights and their names stay.

    By timm's converter: torch's own, which is Lightning's too, loses the activation inside timm's batch norms.
    """
    training.net = convert_sync_batchnorm(training.net)
    training.objective = convert_sync_batchnorm(training.objective)


def _environment(started: Launch | None) -> LightningEnvironment | SLURMEnvironment | TorchElasticEnvironment:
    """Said outright: Lightning takes any batch script of SLURM for several processes."""
    if started is None:
        return LightningEnvironment()
    return TorchElasticEnvironment() if started.by == "torchrun" else SLURMEnvironment(auto_requeue=False)
