"""One training as Lightning sees it: the steps, and between them validation, checkpoints, curves and progress.

>>> learner = Learner(training, interrupt)
>>> lightning.Trainer(max_epochs=-1, ...).fit(learner, training.batches)

Optimization is manual, which leaves Lightning's share of a step at a fraction of a millisecond.
"""

from __future__ import annotations

import contextlib
import logging
import math
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import lightning as L
import torch
from rich.console import Console
from torch import nn

from facelet import files, nets
from facelet.errors import FaceletError
from facelet.learn import validation
from facelet.learn.batches import Batch, seed_of
from facelet.learn.checkpoints import Checkpoints
from facelet.learn.ema import Ema, settle
from facelet.learn.interrupt import Interrupt
from facelet.learn.optimizer import make_optimizer
from facelet.learn.probe import Probe
from facelet.learn.reporter import Reporter
from facelet.learn.schedule import FIRST, by_seconds
from facelet.learn.state import Point
from facelet.learn.training import Training
from facelet.learn.validation import validate
from facelet.learn.watch import Watch

# Facelet says itself what users should know; the processes that Lightning starts import this file too.
for _name in ("lightning.pytorch", "lightning.fabric", "lightning", "torch.multiprocessing.spawn"):
    logging.getLogger(_name).setLevel(logging.ERROR)
warnings.filterwarnings("ignore", module=r"lightning\..*")

SETTLE_LAST, SETTLE_SHARE = 16, 0.1
"""Batches that settle the batch norms before the last validation, and share of a lap's steps before the others."""


class Learner(L.LightningModule):
    """Trains ``training.net`` in place. ``console`` and ``say`` are None in processes that cannot reach the user's.

    Raises FaceletError from ``fit`` when the loss is not finite, or when ``interrupt`` asks to stop.
    """

    def __init__(
        self,
        training: Training,
        interrupt: Interrupt,
        console: Console | None = None,
        say: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.training_plan = training
        self.net, self.objective = training.net, training.objective
        self.interrupt, self.console, self.say = interrupt, console, say
        self.schedule = training.schedule
        self.done = 0
        self.points: list[Point] = []

    def configure_optimizers(self) -> torch.optim.Optimizer:
        self.optimizer = make_optimizer([self.net, self.objective], self.training_plan.optimization)
        return self.optimizer

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        return batch

    def on_fit_start(self) -> None:
        with self._told():
            self._begin()

    def _begin(self) -> None:
        plan = self.training_plan
        plan.batches.place(self.device, self.global_rank, self.trainer.world_size)
        plan.val.to(self.device)
        self.objective.place(self.device)
        self._clip = [p for p in (*self.net.parameters(), *self.objective.parameters()) if p.requires_grad]
        self.ema = Ema(self.net, plan.ema)
        self._watch = Watch(self.device)
        parts = {"net": self.net, "objective": self.objective, "ema": self.ema.net}
        self._checkpoints = Checkpoints(plan.folder, {**parts, "optimizer": self.optimizer, "watch": self._watch})
        self._before = 0.0
        if self.schedule is not None:
            self.done, self._before, self.points = self._checkpoints.load()
            if self.done and self.say:
                self.say(f"  continues after step {self.done} of {self.schedule.total}")
        plan.batches.step = self.done
        plan.batches.total = self.schedule.total if self.schedule else None
        self._probe = Probe(plan.seconds or 0.0)
        self._start = time.monotonic()
        self.interrupt.__enter__()  # a process that Lightning started has not caught signals yet
        self._reporter = Reporter(plan, self.console, self.points, self.done) if self.global_rank == 0 else None

    def on_train_start(self) -> None:
        self.net.train()
        self.objective.train()

    def training_step(self, batch: Batch, index: int) -> None:
        plan = self.training_plan
        torch.manual_seed(seed_of(plan.seed, 2, self.done, self.global_rank))
        for group in self.optimizer.param_groups:
            group["lr"] = plan.optimization.lr * self._rate()
        _, losses = self.objective(self.net, batch)
        loss = torch.stack(list(losses.values())).sum()
        self.manual_backward(loss)
        norm = nn.utils.clip_grad_norm_(self._clip, plan.optimization.clip) if plan.optimization.clip else None
        self._watch.add(loss, norm)
        if self._watch.due:
            with self._told():
                self._check(self.done + 1)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.done += 1
        self.ema.update(self.done)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        with self._told():
            self._after_step()

    def _after_step(self) -> None:
        if self.schedule is None:
            self._time_probe()
        ended = self.schedule is not None and self.done >= self.schedule.total
        if self.schedule is not None and self.schedule.ends_lap(self.done):
            self._end_lap()
        if ended:
            self.trainer.should_stop = True
        elif self._reporter is not None:
            self._reporter.draw(self.done, self.schedule, lambda: self._watch.mean.item())
            if self.interrupt.asked:
                self._save()
                raise FaceletError(self.how_to_continue())
            if self._checkpoints.due:
                self._save()

    def on_train_end(self) -> None:
        assert self.schedule is not None
        if self.global_rank:
            return
        self.close()
        plan, last = self.training_plan, self.points[-1]
        spent = {"steps": self.done, "epochs": round(self.schedule.epochs, 3), "seconds": round(self._seconds(), 2)}
        plan.folder.write_result({**spent, "val_loss": last.val_loss, "val_accuracy": last.val_accuracy})
        nets.save(self.ema.net, plan.spec, plan.folder.net_path)
        plan.folder.clear_state()

    def how_to_continue(self) -> str:
        total = f" of {self.schedule.total}" if self.schedule else ""
        return (
            f"{self.training_plan.name}: stopped after step {self.done}{total}; nothing is lost, "
            "`facelet run --resume RUN` continues from there"
        )

    def _rate(self) -> float:
        return FIRST if self.schedule is None else self.schedule.rate(self.done)

    def _seconds(self) -> float:
        return self._before + time.monotonic() - self._start

    def _check(self, done: int) -> None:
        """Raises FaceletError, with what to do about it, when one of ``done`` losses was not finite."""
        plan = self.training_plan
        try:
            self._watch.check(done, plan.batches.steps_per_epoch)
        except FaceletError as error:
            kept = f"the last checkpoint is kept in {plan.folder.folder}"
            if not plan.folder.state_path.exists():
                kept = "no checkpoint was due yet"
            lr = plan.optimization.lr
            raise FaceletError(
                f"{plan.name}: {error}; {kept}. Try a lower lr than {lr:g}, such as {lr / 3:.1g}"
            ) from None

    def _time_probe(self) -> None:
        """Times first steps; when enough have been seen, fixes the schedule and writes it down."""
        plan, strategy = self.training_plan, self.trainer.strategy
        assert plan.seconds is not None
        self._wait()
        self._probe.tick()
        if not strategy.broadcast(self._probe.enough()):  # processes must agree to stop
            return
        faces = min(len(plan.val), validation.BATCH)
        start = time.monotonic()
        self._validate(faces)
        self._wait()
        schedule = by_seconds(
            plan.seconds - self._seconds(),
            done=self.done,
            step=self._probe.step_seconds,
            validation=(time.monotonic() - start) * len(plan.val) / faces,
            steps_per_epoch=plan.batches.steps_per_epoch,
            train=len(plan.batches.faces),
            val=len(plan.val),
            warmup=plan.warmup,
        )
        self.schedule = strategy.broadcast(schedule)
        plan.batches.total = self.schedule.total
        if self.global_rank == 0:
            plan.folder.save_plan(self.schedule, plan.precision)
            if self.say:
                milliseconds = self._probe.step_seconds * 1e3
                self.say(
                    f"  {milliseconds:.0f} ms a step: {self.schedule.total} steps, {self.schedule.epochs:.1f} epochs"
                )

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def _end_lap(self) -> None:
        """Validates the running mean and adds a point to the curves."""
        assert self.schedule is not None
        self._check(self.done)
        self._settle()
        loss, accuracy = self._validate(len(self.training_plan.val))
        train_loss = self.trainer.strategy.reduce(self._watch.mean, reduce_op="mean")
        self._watch.restart()
        if self._reporter is not None:
            self._reporter.add(
                Point(
                    epoch=self.done / self.schedule.steps_per_epoch,
                    step=self.done,
                    seconds=self._seconds(),
                    lr=self.optimizer.param_groups[0]["lr"],
                    train_loss=float(train_loss),
                    val_loss=loss,
                    val_accuracy=accuracy,
                )
            )

    def _settle(self) -> None:
        """Every process settles on the same whole batches, so that all hold the same net, whatever their number."""
        assert self.schedule is not None
        plan = self.training_plan
        count = SETTLE_LAST if self.done >= self.schedule.total else math.ceil(SETTLE_SHARE * self.schedule.lap)
        batches = plan.batches.start(self.done - 1, min(SETTLE_LAST, count))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=plan.precision.bf16):
            settle(self.ema.net, (self.objective.normalise(batch.faces) for batch in batches))

    def _validate(self, first: int) -> tuple[float, float]:
        """Cross-entropy and accuracy of the running mean on ``first`` validation faces, shared between processes."""
        plan, strategy = self.training_plan, self.trainer.strategy
        mine = torch.arange(self.global_rank, first, self.trainer.world_size, device=self.device)
        sums = validate(self.ema.net, self.objective.normalise, plan.val, mine, plan.precision.bf16)
        loss, right, count = strategy.reduce(sums, reduce_op="sum").tolist()
        return loss / count, right / count

    def _save(self) -> None:
        """A checkpoint, once all losses up to here are known to be finite.

        None before the schedule is fixed: its first steps are run again then, to be timed again.
        """
        if self.schedule is not None:
            self._check(self.done)
            self._checkpoints.save(self.done, self._seconds(), self.points)

    def close(self) -> None:
        """Gives back the terminal; called once the training has ended, however."""
        reporter = getattr(self, "_reporter", None)
        if reporter is not None:
            reporter.close()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Leaves a FaceletError in a file where another process waits to raise it."""
        try:
            yield
        except FaceletError as error:
            if self.trainer.world_size > 1:
                files.write_json(self.training_plan.folder.stopped_path, {"error": str(error)})
            raise
