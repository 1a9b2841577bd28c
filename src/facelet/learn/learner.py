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
from dataclasses import asdict
from typing import Any

import lightning as L
import torch
from rich.console import Console
from torch import Tensor, nn

from facelet import files, nets
from facelet.errors import FaceletError
from facelet.learn import validation
from facelet.learn.batches import Batch, seed_of
from facelet.learn.ema import Ema, settle
from facelet.learn.interrupt import Interrupt
from facelet.learn.optimizer import make_optimizer
from facelet.learn.probe import Probe
from facelet.learn.progress import Bar
from facelet.learn.schedule import FIRST, by_seconds
from facelet.learn.state import Point
from facelet.learn.training import Training
from facelet.learn.validation import validate

# Facelet says itself what users should know; the processes that Lightning starts import this file too.
for _name in ("lightning.pytorch", "lightning.fabric", "lightning"):
    logging.getLogger(_name).setLevel(logging.ERROR)
warnings.filterwarnings("ignore", module=r"lightning\..*")

SAVE_SECONDS = 30.0
"""Between checkpoints, or 30 times what one takes."""
CHECK_EVERY = 32
"""Steps between looks at the losses on a GPU, where looking means waiting for it."""
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
        self._loss_sum = torch.zeros((), dtype=torch.float64, device=self.device)
        self._loss_steps = 0
        self._unchecked: list[Tensor] = []
        self._before = 0.0
        self._restore()
        plan.batches.step = self.done
        plan.batches.total = self.schedule.total if self.schedule else None
        self._probe = Probe(plan.seconds or 0.0)
        self._start = self._saved = time.monotonic()
        self._save_cost = 0.0
        self._bar = Bar(plan.name, self.console)
        self._board = self._open_board()
        self.interrupt.__enter__()  # a process that Lightning started has not caught signals yet
        if self.global_rank == 0:
            self._bar.__enter__()

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
        watched = loss.detach()
        if plan.optimization.clip:
            norm = nn.utils.clip_grad_norm_(self._clip, plan.optimization.clip)
            watched = watched + 0 * norm  # not a number where a gradient is not
        self._unchecked.append(watched)
        if self.device.type == "cpu":
            with self._told():
                self._check()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.done += 1
        self.ema.update(self.done)
        self._loss_sum += watched
        self._loss_steps += 1

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        with self._told():
            self._after_step()

    def _after_step(self) -> None:
        if len(self._unchecked) >= CHECK_EVERY:
            self._check()
        if self.schedule is None:
            self._time_probe()
        ended = self.schedule is not None and self.done >= self.schedule.total
        if self.schedule is not None and self.schedule.ends_lap(self.done):
            self._end_lap()
        first = self.global_rank == 0
        if first and self._bar.due():
            self._draw()
        if first and self.interrupt.asked and not ended:
            self._save()
            raise FaceletError(self.how_to_continue())
        if first and not ended and time.monotonic() - self._saved >= max(SAVE_SECONDS, 30 * self._save_cost):
            self._save()
        if ended:
            self.trainer.should_stop = True

    def on_train_end(self) -> None:
        assert self.schedule is not None
        if self.global_rank:
            return
        self.close()
        plan, last = self.training_plan, self.points[-1]
        seconds = self._seconds()
        plan.folder.write_result(
            {
                "steps": self.done,
                "epochs": round(self.schedule.epochs, 3),
                "seconds": round(seconds, 2),
                "faces_per_second": round(self.done * plan.batches.size / seconds, 1),
                "val_loss": last.val_loss,
                "val_accuracy": last.val_accuracy,
            }
        )
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

    def _check(self) -> None:
        """Raises FaceletError for the first loss or gradient since the last look that is not finite."""
        values = torch.stack(self._unchecked).tolist()
        first = self.done - len(values) + (1 if self.device.type == "cpu" else 0)
        self._unchecked.clear()
        for number, value in enumerate(values):
            if not math.isfinite(value):
                step = first + number + 1
                plan = self.training_plan
                lr = plan.optimization.lr
                kept = f"the last checkpoint is kept in {plan.folder.folder}"
                if not plan.folder.state_path.exists():
                    kept = "no checkpoint was due yet"
                raise FaceletError(
                    f"{plan.name}: the loss or its gradient is {value} at step {step} "
                    f"(epoch {(step - 1) / plan.batches.steps_per_epoch:.2f}); {kept}. "
                    f"Try a lower lr than {lr:g}, such as {lr / 3:.1g}"
                )

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
        if self._unchecked:
            self._check()
        self._settle()
        loss, accuracy = self._validate(len(self.training_plan.val))
        train_loss = self.trainer.strategy.reduce(self._loss_sum / max(1, self._loss_steps), reduce_op="mean")
        self._loss_sum.zero_()
        self._loss_steps = 0
        if self.global_rank:
            return
        point = Point(
            epoch=self.done / self.schedule.steps_per_epoch,
            step=self.done,
            seconds=self._seconds(),
            lr=self.optimizer.param_groups[0]["lr"],
            train_loss=float(train_loss),
            val_loss=loss,
            val_accuracy=accuracy,
        )
        self.points.append(point)
        self._bar.accuracy = accuracy
        self.training_plan.folder.write_curves(self.points)
        if self._board is not None:
            for name in ("lr", "train_loss", "val_loss", "val_accuracy"):
                self._board.add_scalar(name, getattr(point, name), point.step)

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
        """A checkpoint between two steps, once all losses up to here are known to be finite."""
        if self._unchecked:
            self._check()
        start = time.monotonic()
        self.training_plan.folder.save_state(
            {
                "done": self.done,
                "seconds": self._seconds(),
                "loss_sum": self._loss_sum.item(),
                "loss_steps": self._loss_steps,
                "points": [asdict(point) for point in self.points],
                "net": self.net.state_dict(),
                "objective": self.objective.state_dict(),
                "ema": self.ema.net.state_dict(),
                "optimizer": self.optimizer.state_dict(),
            }
        )
        self._saved = time.monotonic()
        self._save_cost = self._saved - start

    def _restore(self) -> None:
        state = self.training_plan.folder.load_state()
        if state is None or self.schedule is None:  # what ran before the plan was written is run again
            return
        self.net.load_state_dict(state["net"])
        self.objective.load_state_dict(state["objective"])
        self.ema.net.load_state_dict(state["ema"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.done, self._before = state["done"], state["seconds"]
        self._loss_sum.fill_(state["loss_sum"])
        self._loss_steps = state["loss_steps"]
        self.points = [Point(**point) for point in state["points"]]
        if self.global_rank == 0:
            self.training_plan.folder.write_curves(self.points)
            if self.say:
                self.say(f"  continues after step {self.done} of {self.schedule.total}")

    def _draw(self) -> None:
        plan = self.training_plan
        self._bar.update(
            step=self.done,
            total=self.schedule.total if self.schedule else None,
            epoch=self.done / plan.batches.steps_per_epoch,
            loss=(self._loss_sum / max(1, self._loss_steps)).item(),
        )

    def _open_board(self) -> Any:
        if not self.training_plan.tensorboard or self.global_rank:
            return None
        from torch.utils.tensorboard import SummaryWriter

        return SummaryWriter(str(self.training_plan.folder.folder / "tensorboard"), purge_step=self.done + 1)

    def close(self) -> None:
        """Gives back the terminal; called once the training has ended, however."""
        if self.global_rank == 0 and hasattr(self, "_bar"):
            self._bar.__exit__(None, None, None)
            if self._board is not None:
                self._board.close()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Leaves a FaceletError in a file where another process waits to raise it."""
        try:
            yield
        except FaceletError as error:
            if self.trainer.world_size > 1:
                files.write_json(self.training_plan.folder.stopped_path, {"error": str(error)})
            raise
