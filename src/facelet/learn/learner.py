"""One training as Lightning sees it: the steps, and between them validation, checkpoints, curves and progress.

>>> learner = Learner(training, interrupt)
>>> Trainer(max_epochs=-1, ...).fit(learner, training.batches)

Optimization is manual, which leaves Lightning's share of a step at a fraction of a millisecond.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from rich.console import Console
from torch import nn

from facelet import files, nets
from facelet.errors import FaceletError
from facelet.learn.batches import Batch, seed_of
from facelet.learn.checkpoints import Checkpoints
from facelet.learn.ema import Ema
from facelet.learn.interrupt import Interrupt
from facelet.learn.lightning import LightningModule
from facelet.learn.optimizer import make_optimizer
from facelet.learn.probe import Probe
from facelet.learn.recorded import Recorded
from facelet.learn.reporter import Reporter
from facelet.learn.schedule import FIRST
from facelet.learn.state import Point
from facelet.learn.training import Training
from facelet.learn.validation import Validator
from facelet.learn.watch import Watch


class Learner(LightningModule):
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
        plan, world = self.training_plan, self.trainer.world_size
        plan.batches.place(self.device, self.global_rank, world, plan.record)
        plan.exam.faces.to(self.device)
        self.objective.place(self.device)
        self._clip = [p for p in (*self.net.parameters(), *self.objective.parameters()) if p.requires_grad]
        self.ema = Ema(self.net, plan.ema)
        self._validator = Validator(plan, self.ema.net, self.trainer, self.device)
        self._watch = Watch(self.device)
        parts = {"net": self.net, "objective": self.objective, "ema": self.ema.net}
        self._checkpoints = Checkpoints(plan.folder, {**parts, "optimizer": self.optimizer, "watch": self._watch})
        self._pass = Recorded(self._forward_and_back, plan.name, plan.record and self.objective.repeats and world == 1)
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
        with self._told():
            loss = self._pass(*batch)
        norm = nn.utils.clip_grad_norm_(self._clip, plan.optimization.clip or math.inf)
        self._watch.add(loss, norm)
        self.optimizer.step()
        self.done += 1
        self.ema.update(self.done)

    def _forward_and_back(self, *batch: Any) -> torch.Tensor:
        self.optimizer.zero_grad(set_to_none=True)
        loss = torch.stack(list(self.objective(self.net, Batch(*batch)).values())).sum()
        self.manual_backward(loss)
        return loss.detach()

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        with self._told():
            self._after_step()

    def _after_step(self) -> None:
        if self._watch.due:
            self._check()
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
        if self.global_rank == 0:
            self.close()
            plan, last = self.training_plan, self.points[-1]
            spent = {"steps": self.done, "epochs": round(self.schedule.epochs, 3), "seconds": round(self._seconds(), 2)}
            plan.folder.write_result({**spent, "val_loss": last.val_loss, "val_accuracy": last.val_accuracy})
            nets.save(self.ema.net, plan.spec, plan.folder.net_path)
            plan.folder.clear_state()
        self.trainer.strategy.barrier()  # from here on every process may read what the first one wrote

    def how_to_continue(self) -> str:
        total = f" of {self.schedule.total}" if self.schedule else ""
        kept = self.training_plan.folder.state_path.exists()
        where = "from its last checkpoint" if kept else "from the start of this training, which had no checkpoint yet"
        return (
            f"{self.training_plan.name}: stopped after step {self.done}{total}; "
            f"`facelet run --resume RUN` continues {where}"
        )

    def _rate(self) -> float:
        return FIRST if self.schedule is None else self.schedule.rate(self.done)

    def _seconds(self) -> float:
        return self._before + time.monotonic() - self._start

    def _check(self) -> None:
        """Raises FaceletError, with what to do about it, when the loss of a step so far was not finite."""
        plan = self.training_plan
        try:
            self._watch.check(self.done, plan.batches.steps_per_epoch)
        except FaceletError as error:
            kept = f"the last checkpoint is kept in {plan.folder.folder}"
            if not plan.folder.state_path.exists():
                kept = "no checkpoint was due yet"
            lr = plan.optimization.lr
            raise FaceletError(
                f"{plan.name}: {error}; {kept}. Try a lower lr than {lr:g}, such as {lr / 3:.1g}, with a new --out"
            ) from None

    def _time_probe(self) -> None:
        """Times first steps; when enough have been seen, fixes the schedule and writes it down."""
        plan, strategy = self.training_plan, self.trainer.strategy
        self._validator.now()
        self._probe.tick()
        if not strategy.broadcast(self._probe.enough()):  # processes must agree to stop
            return
        settle, validation = self._validator.seconds(self.done)
        schedule = self._probe.schedule(plan, self._seconds(), self.done, settle, validation)
        self.schedule = strategy.broadcast(schedule)
        plan.batches.total = self.schedule.total
        if self.global_rank == 0:
            plan.folder.save_plan(self.schedule, plan.precision)
            if self.say:
                each = self._probe.step_seconds * 1e3
                self.say(f"  {each:.0f} ms a step: {self.schedule.total} steps, {self.schedule.epochs:.1f} epochs")

    def _end_lap(self) -> None:
        """Validates the running mean and adds a point to the curves."""
        assert self.schedule is not None
        self._check()
        self._validator.settle(self.done, self.schedule.settles(self.done))
        loss, accuracy = self._validator.validate()
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

    def _save(self) -> None:
        """A checkpoint, once all losses up to here are known to be finite.

        None before the schedule is fixed: its first steps are run again then, to be timed again.
        """
        if self.schedule is not None:
            self._check()
            self._checkpoints.save(self.done, self._seconds(), self.points)

    def close(self) -> None:
        """Gives back the terminal, and a GPU's memory; called once the training has ended, however."""
        if reporter := getattr(self, "_reporter", None):
            reporter.close()
        if recorded := getattr(self, "_pass", None):
            recorded.forget()
            self.training_plan.batches.change.forget()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Leaves a FaceletError in a file where another process waits to raise it; being out of memory becomes one."""
        try:
            yield
        except torch.OutOfMemoryError as error:
            plan = self.training_plan
            raise self._tell(f"{plan.name}: out of memory with a batch of {plan.batches.size}; try half") from error
        except FaceletError as error:
            raise self._tell(str(error)) from None

    def _tell(self, message: str) -> FaceletError:
        if self.trainer.world_size > 1:
            files.write_json(self.training_plan.folder.stopped_path, {"error": message})
        return FaceletError(message)
