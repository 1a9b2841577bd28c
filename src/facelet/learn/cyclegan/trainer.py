"""Trains one translation between two classes: a lesson without labels, which resumes at any step and undoes a divergence.

>>> generator = translate(CycleGanConfig(name="sadness", translation=..., source=happy, target=sad, ...), job, device)

The learning rate is held for half of the steps and falls to nothing over the rest, as the paper does. Every LAP steps the faces
that came back are compared with blank ones: when those are closer, or a loss is not finite, the last good state is restored, the
rate halved, and other faces are drawn. Good states are kept at every KEEP-th step and not by the clock, so that a killed training
and an unbroken one go back to the same. Whether the faces are any good is measured later.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from rich.console import Console
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
from facelet.learn.engine.lightning import LightningEnvironment, LightningModule, quiet_trainer
from facelet.learn.engine.loss_monitor import LossMonitor
from facelet.learn.engine.progress import Bar
from facelet.learn.engine.schedule import Schedule
from facelet.learn.engine.stopwatch import Stopwatch
from facelet.learn.engine.time_budget import TimeBudget
from facelet.nets.spec import save_weights
from facelet.step import StepContext
from facelet.text import duration

GOOD, KEEP = "good", 500
"""Folder of the state to go back to, and steps between such states."""


@dataclass
class CycleGanConfig:
    """One translation as data.

    Attributes:
        name: of what is made, for messages.
        translation: with fresh weights. pairs: what it sees.
        steps: how many, or None when ``seconds`` are given.
        precision, seed, folder: as of a Training.
    """

    name: str
    translation: CycleGan
    pairs: Pairs
    steps: int | None
    seconds: float | None
    precision: Precision
    seed: int
    folder: TrainingFolder


class CycleGanTrainer(LightningModule):
    """Trains ``plan.translation`` in place. Raises FaceletError from ``fit`` when it diverges for good, or is asked to stop."""

    def __init__(self, plan: CycleGanConfig, interrupt: Interrupt, console: Console | None, say: Callable[[str], None]):
        super().__init__()
        self.automatic_optimization = False
        self.plan, self.interrupt, self.console, self.say = plan, interrupt, console, say
        self.translation = plan.translation
        self.schedule, _ = plan.folder.load_plan()
        self.done = 0

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        self.makers, self.judges = self.translation.optimizers()
        return [self.makers, self.judges]

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        return batch

    def on_fit_start(self) -> None:
        plan, net = self.plan, self.translation
        self.divergence, self._watch = Divergence(self.device), LossMonitor(self.device)
        pools = {f"pool-{name}": pool for name, pool in net.pools.items()}
        parts: dict[str, Stateful] = {
            "net": net,
            "makers": self.makers,
            "judges": self.judges,
            "divergence": self.divergence,
            **pools,
        }
        self._checkpoints = Checkpoints(plan.folder, parts)
        self._good = Checkpoints(TrainingFolder(plan.folder.folder / GOOD, plan.folder.fingerprint), parts)
        self._bar = Bar(plan.name, self.console)
        self._bar.__enter__()
        spent, epoch = 0.0, plan.pairs.steps_per_epoch
        if plan.steps and self.schedule is None:
            self._follow(Schedule(plan.steps, epoch, lap=LAP))
        if self.schedule is not None and plan.folder.state_path.exists():
            self.done, spent, _ = self._checkpoints.load()
            self.say(f"  {escape(plan.name)}: continues after step {self.done} of {self.schedule.total}")
        else:
            self._good.save(0, 0.0, [])
        self._stopwatch = Stopwatch(spent, self.done)
        counts = {"steps_per_epoch": epoch, "train": epoch * plan.pairs.batch, "val": 0}
        self._budget = TimeBudget(plan.seconds, self._stopwatch, counts) if plan.seconds else None

    def training_step(self, batch: Any, index: int) -> None:
        net, step = self.translation, (self.done, self.divergence.setbacks)
        for optimizer in (self.makers, self.judges):
            for group in optimizer.param_groups:
                group["lr"] = net.choice.lr * self._rate()
        source, target = self.plan.pairs.at(*step, self.device)
        generator = torch.Generator().manual_seed(seed_of(self.plan.seed, 2, *step))
        net.freeze_judges(True)
        losses, made, remade = net.making(source, target)
        making = torch.stack(list(losses.values())).sum()
        self._descend(self.makers, making)
        net.freeze_judges(False)
        judging = net.judging(source, target, made, remade, generator)
        self._descend(self.judges, judging)
        self.done += 1
        self._watch.add(making.detach() + judging.detach())
        self.divergence.add(losses["cycle"].detach() / net.choice.cycle, source, target)

    def _descend(self, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        optimizer.zero_grad(set_to_none=True)
        self.manual_backward(loss)
        optimizer.step()

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self.schedule is None:
            self._time_probe()
        if self.schedule is None:
            return
        if self._budget and self._budget.due(self.schedule, self.done):
            self._replan()
        ended, stopping = self.done >= self.schedule.total, self.interrupt.asked
        due = ended or stopping or self._checkpoints.due
        lap, keep = self.done % LAP == 0, self.done % KEEP == 0
        if self._watch.due or due or lap:
            if trouble := self._trouble(lap):
                self._recover(trouble)
                return
            self._tick()
        if keep or (due and not ended):
            with self._stopwatch.aside("checkpoint", self.done):
                if keep:
                    self._good.save(self.done, self._stopwatch.spent, [])
                if due and not ended:
                    self._checkpoints.save(self.done, self._stopwatch.spent, [])
        if ended:
            self.trainer.should_stop = True
        elif stopping:
            raise FaceletError(
                f"{self.plan.name}: stopped after step {self.done} of {self.schedule.total}; "
                "`facelet run --resume RUN` continues there"
            )
        elif self._bar.due():
            self._bar.update(
                step=self.done, total=self.schedule.total, epoch=self._epochs(), loss=self._watch.mean.item()
            )

    def on_train_end(self) -> None:
        assert self.schedule is not None
        seconds = round(self._stopwatch.spent, 2)
        spent = {"steps": self.done, "epochs": round(self._epochs(), 3), "seconds": seconds}
        self.plan.folder.write_result({**spent, "setbacks": self.divergence.setbacks})
        save_weights(self.translation.forth, self.plan.folder.net_path)
        self.plan.folder.clear_state()
        shutil.rmtree(self.plan.folder.folder / GOOD, ignore_errors=True)

    def close(self) -> None:
        """Gives back the terminal."""
        if hasattr(self, "_bar"):
            self._bar.__exit__(None, None, None)

    def _trouble(self, lap: bool) -> str:
        """What is wrong with the training, or ""; at the end of a ``lap`` the faces that came back are looked at, too."""
        try:
            self._watch.check(self.done, self.plan.pairs.steps_per_epoch)
        except FaceletError as error:
            return str(error)
        return self.divergence.found(self.done) if lap else ""

    def _recover(self, trouble: str) -> None:
        """Restores the last good state, with half the rate and other faces, or gives up."""
        plan, count = self.plan, self.divergence.setbacks + 1
        if count > SETBACKS:
            raise FaceletError(
                f"{plan.name}: diverged {count} times ({trouble}); its last good state is kept in "
                f"{plan.folder.folder}. Try a lower lr than {plan.translation.choice.lr:g}, or a narrower net, with a new --out"
            )
        self.done, _, _ = self._good.load()
        self._stopwatch.back_to(self.done)
        self._watch.restart()
        self.divergence.setbacks = count
        for kept in (self._good, self._checkpoints):
            kept.save(self.done, self._stopwatch.spent, [])
        self.say(
            f"  {escape(plan.name)}: {trouble}; restored step {self.done}, learning rate halved ({count} of {SETBACKS})"
        )
        if self._budget and self.schedule and self.schedule.marks:
            self._follow(self.schedule.until(self.done))  # the undone steps have cost time
            if self.done >= self.schedule.marks[-1].step:
                self._replan()
            self._budget.checked(self.schedule, self.done)

    def _time_probe(self) -> None:
        """Times first steps until it is known how many fit; they count."""
        assert self._budget is not None
        self._tick()
        if self._budget.enough():
            schedule = self._budget.first(self.done, settle=0.0, validation=0.0)
            self._follow(schedule)
            self._tell(self._budget.summary(schedule))

    def _replan(self) -> None:
        """Re-plans the schedule where the pace has changed."""
        assert self._budget is not None
        assert self.schedule is not None
        self._tick()
        before = self.schedule
        schedule = self._budget.replan(before, self.done)
        if schedule != before:
            self._follow(schedule)
            self._tell(self._budget.changes(before, schedule))

    def _follow(self, schedule: Schedule) -> None:
        """Follows ``schedule`` from here on; it is saved before the next step."""
        self.schedule = schedule
        self.plan.folder.save_plan(schedule, self.plan.precision)

    def _tick(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        self._stopwatch.tick(self.done)
        if lost := self._stopwatch.stood_still():
            self._tell([f"  stood still for {duration(lost)}, which is not counted"])

    def _tell(self, lines: list[str]) -> None:
        for line in lines:
            self.say(f"  {escape(self.plan.name)}: {line.strip()}")

    def _rate(self) -> float:
        """Factor of the learning rate: 1 for half of the steps, then down to nothing; halved by every setback."""
        along = self.schedule.progress(self.done) if self.schedule else 0.0
        return min(1.0, 2 * (1 - along)) * self.divergence.factor

    def _epochs(self) -> float:
        return self.done / self.plan.pairs.steps_per_epoch


def translate(plan: CycleGanConfig, job: StepContext, device: torch.device) -> dict[str, Any]:
    """Trains, or goes on where an earlier call in the same folder was killed; returns ``result.json``'s content.

    Leaves the generator's weights in ``net.safetensors``. Raises FaceletError when it diverges for good, or is stopped.
    """
    if (result := plan.folder.result()) is not None:
        return result
    console = getattr(job.say, "__self__", None)
    if plan.precision.channels_last:
        plan.translation.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    with torch.random.fork_rng(devices=[]), Interrupt() as interrupt:
        translator = CycleGanTrainer(plan, interrupt, console if isinstance(console, Console) else None, job.say)
        trainer = quiet_trainer(
            device, plan.folder.folder, bf16=plan.precision.bf16, devices=1, plugins=[LightningEnvironment()]
        )
        try:
            trainer.fit(translator, train_dataloaders=_Endless())
        except torch.OutOfMemoryError as error:
            raise FaceletError(f"{plan.name}: out of memory with batches of {plan.pairs.batch}; try half") from error
        finally:
            translator.close()
        if interrupt.asked:
            raise FaceletError(f"{plan.name}: stopped at its end; `facelet run --resume RUN` goes on from there")
    result = plan.folder.result()
    assert result is not None
    return result


class _Endless:
    """Lightning wants to be given something; the faces of a step follow from its number."""

    def __iter__(self) -> Any:
        return itertools.count()
