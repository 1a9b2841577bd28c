"""One training as Lightning sees it: the steps, and between them validation, checkpoints, curves and progress.

>>> learner = Learner(training, interrupt)
>>> Trainer(max_epochs=-1, ...).fit(learner, training.batches)

Optimization is manual, which leaves Lightning's share of a step at a fraction of a millisecond.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from rich.console import Console
from torch import nn

from facelet import nets
from facelet.errors import FaceletError
from facelet.io import files
from facelet.learn.data.batches import Batch, seed_of
from facelet.learn.device.cuda_graph import CudaGraph
from facelet.learn.device.interrupt import Interrupt
from facelet.learn.engine.checkpoint import Checkpoints, CurvePoint
from facelet.learn.engine.config import TrainingConfig
from facelet.learn.engine.ema import Ema
from facelet.learn.engine.lightning import LightningModule
from facelet.learn.engine.loss_monitor import LossMonitor
from facelet.learn.engine.optimizer import make_optimizer
from facelet.learn.engine.progress import Reporter
from facelet.learn.engine.schedule import FIRST, Schedule
from facelet.learn.engine.stopwatch import Stopwatch
from facelet.learn.engine.time_budget import TimeBudget
from facelet.learn.engine.validation import Validator
from facelet.text import duration


class Learner(LightningModule):
    """Trains ``training.net`` in place. ``console`` and ``say`` are None in processes that cannot reach the user's.

    Raises FaceletError from ``fit`` when the loss is not finite, or when ``interrupt`` asks to stop.
    """

    def __init__(
        self,
        training: TrainingConfig,
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
        self.points: list[CurvePoint] = []

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
        self._watch = LossMonitor(self.device)
        parts = {"net": self.net, "objective": self.objective, "ema": self.ema.net}
        self._checkpoints = Checkpoints(plan.folder, {**parts, "optimizer": self.optimizer, "watch": self._watch})
        self._pass = CudaGraph(self._forward_and_back, plan.name, plan.record and self.objective.repeats and world == 1)
        spent = 0.0
        if self.schedule is not None:
            self.done, spent, self.points = self._checkpoints.load()
            if self.done and self.say:
                self.say(f"  continues after step {self.done} of {self.schedule.total}")
        plan.batches.step = self.done
        plan.batches.total = self.schedule.total if self.schedule else None
        self._stopwatch = Stopwatch(spent, self.done)
        counts = {
            "train": plan.batches.epoch,
            "val": len(plan.exam.faces),
            "steps_per_epoch": plan.batches.steps_per_epoch,
        }
        budget = TimeBudget(plan.seconds, self._stopwatch, counts, plan.warmup) if plan.seconds else None
        self._budget = budget
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
            self._tick()
        if self.schedule is None:
            self._time_probe()
        if self.schedule is not None and self.schedule.ends_lap(self.done):
            self._end_lap()
        if self.schedule is not None and self._budget and self._budget.due(self.schedule, self.done):
            self._replan()
        if self.schedule is not None and self.done >= self.schedule.total:
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
            spent = {
                "steps": self.done,
                "epochs": round(self.schedule.epochs, 3),
                "seconds": round(self._stopwatch.spent, 2),
            }
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

    def _tick(self) -> None:
        """Called when the device has finished all steps."""
        self._stopwatch.tick(self.done)
        if lost := self._stopwatch.stood_still():
            self._say_all([f"  stood still for {duration(lost)}, which is not counted"])

    def _say_all(self, lines: Sequence[str]) -> None:
        for line in lines:
            if self.say:
                self.say(line)

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
        """Times the first steps, and plans the schedule when there are enough of them."""
        strategy, budget = self.trainer.strategy, self._budget
        assert budget is not None
        self._validator.now()
        self._tick()
        if not strategy.broadcast(budget.enough()):  # processes must agree to stop
            return
        with self._stopwatch.aside("probe", self.done):
            settle, validation = self._validator.seconds(self.done)
        self._follow(strategy.broadcast(budget.first(self.done, settle, validation)))
        assert self.schedule is not None
        self._say_all(budget.summary(self.schedule))

    def _replan(self) -> None:
        """Re-plans the schedule where the pace has changed. The first process decides."""
        before, budget = self.schedule, self._budget
        assert before is not None
        assert budget is not None
        self._validator.now()
        self._tick()
        schedule = self.trainer.strategy.broadcast(budget.replan(before, self.done))
        if schedule != before:
            self._follow(schedule)
            self._say_all(budget.changes(before, schedule))
        budget.checked(schedule, self.done)

    def _follow(self, schedule: Schedule) -> None:
        """Follows ``schedule`` from here on. It is saved before the next step, so that a killed training replays it."""
        plan = self.training_plan
        self.schedule = schedule
        plan.batches.total = schedule.total
        if self.global_rank == 0:
            plan.folder.save_plan(schedule, plan.precision)

    def _end_lap(self) -> None:
        """Validates the running mean and adds a point to the curves."""
        assert self.schedule is not None
        self._check()
        self._tick()
        before, batches = self._stopwatch.spent, self.schedule.settles(self.done)
        with self._stopwatch.aside("lap", self.done):
            self._validator.settle(self.done, batches)
            loss, accuracy = self._validator.validate()
        if self._budget:
            self._budget.validated(self.done, self._stopwatch.spent - before, batches)
        train_loss = self.trainer.strategy.reduce(self._watch.mean, reduce_op="mean")
        self._watch.restart()
        if self._reporter is not None:
            self._reporter.add(
                CurvePoint(
                    epoch=self.done / self.schedule.steps_per_epoch,
                    step=self.done,
                    seconds=self._stopwatch.spent,
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
            with self._stopwatch.aside("checkpoint", self.done):
                self._checkpoints.save(self.done, self._stopwatch.spent, self.points)

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
