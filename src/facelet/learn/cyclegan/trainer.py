"""Trains a translation between two classes; it resumes at any step and goes back after a divergence.

>>> result = translate(CycleGanConfig(name="sadness", translation=..., pairs=..., steps=4000, ...), job, device)

The learning rate is constant for half of the steps and then falls to 0, as in the paper. Every LAP steps the reconstructed
faces are compared with blank ones: when blank ones are closer, or a loss is not finite, the last good state is restored, the
learning rate is halved, and other faces are drawn. Good states are saved at every KEEP-th step and not by the clock, so that a
resumed training and an unbroken one go back to the same state. The quality of the faces is measured later (cyclegan.quality).
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import Any

import torch
from rich.markup import escape
from torch import Tensor

from facelet.errors import FaceletError
from facelet.learn.cyclegan.divergence import LAP, SETBACKS, Divergence
from facelet.learn.cyclegan.model import CycleGan
from facelet.learn.cyclegan.unpaired_batches import Pairs
from facelet.learn.data.batches import seed_of
from facelet.learn.device.interrupt import Interrupt
from facelet.learn.device.precision import Precision
from facelet.learn.engine.checkpoint import Checkpoints, Stateful, TrainingFolder
from facelet.learn.engine.fabric import Fabric, make_fabric, quiet
from facelet.learn.engine.loop import Loop
from facelet.learn.engine.schedule import Schedule
from facelet.learn.engine.trainable import Lap, LoopOptions
from facelet.nets.spec import save_weights
from facelet.step import StepContext

GOOD, KEEP = "good", 500
"""Folder of the last good state, and steps between good states."""


@dataclass
class CycleGanConfig:
    """Configuration of the training of one translation.

    Attributes:
        name: name of step and class, for messages.
        translation: the CycleGAN, with fresh weights.
        pairs: the training faces.
        steps: number of steps, or None when ``seconds`` are given.
        seconds: time budget, or None.
        precision, seed, folder: see TrainingConfig.
    """

    name: str
    translation: CycleGan
    pairs: Pairs
    steps: int | None
    seconds: float | None
    precision: Precision
    seed: int
    folder: TrainingFolder


class CycleGanTraining:
    """Trains ``config.translation`` in place, as a Trainable of the loop."""

    def __init__(self, config: CycleGanConfig) -> None:
        self.config = config

    def start(self, fabric: Fabric) -> dict[str, Stateful]:
        config, net, self._fabric = self.config, self.config.translation, fabric
        fabric.to_device(net)
        self.makers, self.judges = net.optimizers()
        self.divergence = Divergence(fabric.device)
        parts: dict[str, Stateful] = {
            "net": net,
            "makers": self.makers,
            "judges": self.judges,
            "divergence": self.divergence,
            **{f"pool-{name}": pool for name, pool in net.pools.items()},
        }
        self._good = Checkpoints(TrainingFolder(config.folder.folder / GOOD, config.folder.fingerprint), parts)
        net.train()
        return parts

    def resume(self, done: int) -> None:
        if done == 0:
            self._keep(0)

    def _keep(self, done: int) -> None:
        """Saves a good state, without its time and curve."""
        self._good.save(done, 0.0, [])

    def step(self, done: int, schedule: Schedule | None) -> tuple[Tensor, Tensor | None]:
        net, number = self.config.translation, (done, self.divergence.setbacks)
        for optimizer in (self.makers, self.judges):
            for group in optimizer.param_groups:
                group["lr"] = net.choice.lr * self.rate(done, schedule)
        source, target = self.config.pairs.at(*number, self._fabric.device)
        generator = torch.Generator().manual_seed(seed_of(self.config.seed, 2, *number))
        with self._fabric.autocast():
            net.freeze_discriminators(True)
            losses, made, remade = net.generator_losses(source, target)
            making = torch.stack(list(losses.values())).sum()
            self._descend(self.makers, making)
            net.freeze_discriminators(False)
            judging = net.discriminator_loss(source, target, made, remade, generator)
            self._descend(self.judges, judging)
        self.divergence.add(losses["cycle"].detach() / net.choice.cycle, source, target)
        return making.detach() + judging.detach(), None

    def _descend(self, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        optimizer.zero_grad(set_to_none=True)
        self._fabric.backward(loss)
        optimizer.step()

    def rate(self, done: int, schedule: Schedule | None) -> float:
        """Factor of the learning rate: 1 for half of the steps, then linearly down to 0; halved by every setback."""
        along = schedule.progress(done) if schedule else 0.0
        return min(1.0, 2 * (1 - along)) * self.divergence.factor

    def ends_lap(self, done: int, schedule: Schedule) -> bool:
        return done % LAP == 0 or done % KEEP == 0 or done >= schedule.total

    def lap(self, done: int, schedule: Schedule) -> Lap:
        """Checks for a divergence every LAP steps, and saves a good state every KEEP steps."""
        trouble = self.divergence.problem(done) if done % LAP == 0 else ""
        if not trouble and done % KEEP == 0:
            self._keep(done)
        return Lap(trouble=trouble)

    def costs(self, done: int) -> tuple[float, float]:
        """Zeros, because nothing is validated."""
        return 0.0, 0.0

    def recover(self, trouble: str) -> tuple[int, str]:
        """Restores the last good state, with half the learning rate and other faces.

        Raises FaceletError after SETBACKS setbacks.
        """
        config, count = self.config, self.divergence.setbacks + 1
        if count > SETBACKS:
            raise FaceletError(
                f"{config.name}: diverged {count} times ({trouble}); its last good state is kept in "
                f"{config.folder.folder}. Try a lower lr than {config.translation.choice.lr:g}, or a narrower net, with a new --out"
            )
        done, _, _ = self._good.load()
        self.divergence.setbacks = count
        self._keep(done)
        return done, f"  {trouble}; restored step {done}, learning rate halved ({count} of {SETBACKS})"

    def finish(self, spent: dict[str, float]) -> None:
        folder = self.config.folder
        folder.write_result({**spent, "setbacks": self.divergence.setbacks})
        save_weights(self.config.translation.forth, folder.net_path)
        folder.clear_state()
        shutil.rmtree(folder.folder / GOOD, ignore_errors=True)

    def close(self) -> None:
        """Does nothing: there is no captured graph to free."""


def translate(config: CycleGanConfig, job: StepContext, device: torch.device) -> dict[str, Any]:
    """Trains, or resumes an interrupted training in the same folder; returns the content of ``result.json``.

    Writes the weights of generator ``forth`` to ``net.safetensors``. Raises FaceletError when the training diverges more than
    SETBACKS times, or is stopped.
    """
    if (result := config.folder.result()) is not None:
        return result
    if config.precision.channels_last:
        config.translation.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    training, options = CycleGanTraining(config), _options(config)

    def say(line: str) -> None:
        job.say(f"  {escape(config.name)}: {line.strip()}")

    with torch.random.fork_rng(devices=[]), quiet(), Interrupt() as interrupt:
        loop = Loop(training, options, interrupt, job.console, say)
        make_fabric(device, bf16=config.precision.bf16).launch(loop.run)
        if interrupt.asked:
            raise FaceletError(f"{config.name}: stopped at its end; `facelet run --resume RUN` continues from there")
    result = config.folder.result()
    assert result is not None
    return result


def _options(config: CycleGanConfig) -> LoopOptions:
    """The loop's options; a schedule of ``steps`` is saved before the first step."""
    epoch, (schedule, _) = config.pairs.steps_per_epoch, config.folder.load_plan()
    if config.steps and schedule is None:
        schedule = Schedule(config.steps, epoch, lap=LAP)
        config.folder.save_plan(schedule, config.precision)
    return LoopOptions(
        name=config.name,
        folder=config.folder,
        batch=config.pairs.batch,
        counts={"steps_per_epoch": epoch, "train": epoch * config.pairs.batch, "val": 0},
        schedule=schedule,
        seconds=config.seconds,
        precision=config.precision,
    )
