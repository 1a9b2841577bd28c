"""The training loop: start, step, probe and re-planning of the time budget, laps, checkpoints, interrupt and end.

>>> loop = Loop(SupervisedTraining(config), options, Interrupt(), console, job.say)
>>> make_fabric(device, bf16=False).launch(loop.run)

The training itself is a ``Trainable``: a net on a TrainingTask (engine.supervised) or a CycleGAN (cyclegan.trainer). Fabric manages
devices, precision and processes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

import torch
from rich.console import Console

from facelet.errors import FaceletError
from facelet.io import files
from facelet.learn.device.interrupt import Interrupt
from facelet.learn.device.malloc import keep_memory
from facelet.learn.engine.checkpoint import Checkpoints, CurvePoint
from facelet.learn.engine.fabric import Fabric, quiet
from facelet.learn.engine.loss_monitor import LossMonitor
from facelet.learn.engine.progress import Reporter
from facelet.learn.engine.schedule import Schedule
from facelet.learn.engine.stopwatch import Stopwatch
from facelet.learn.engine.time_budget import TimeBudget
from facelet.learn.engine.trainable import LoopOptions, Trainable
from facelet.text import duration


class Loop:
    """Runs ``training``. ``console`` and ``say`` are None in spawned processes, which cannot use the user's console.

    Raises FaceletError from ``run`` when a loss is not finite and the training cannot recover, or when ``interrupt`` asks to stop.
    """

    def __init__(
        self,
        training: Trainable,
        options: LoopOptions,
        interrupt: Interrupt,
        console: Console | None = None,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self.training, self.options, self.interrupt = training, options, interrupt
        self.console, self.say = console, say
        self.folder, self.schedule = options.folder, options.schedule
        self.done = 0
        self.points: list[CurvePoint] = []
        self._reporter: Reporter | None = None

    def run(self, fabric: Fabric) -> None:
        """The whole training, in each process."""
        keep_memory()
        # entered again here, because a spawned process has not caught signals yet
        with quiet(), _benchmarked(fabric.device), self.interrupt, self._reported(fabric.world_size):
            try:
                self._start(fabric)
                while self.schedule is None or self.done < self.schedule.total:
                    loss, norm = self.training.step(self.done, self.schedule)
                    self._losses.add(loss, norm)
                    self.done += 1
                    self._between_steps()
                self._end()
            finally:
                if self._reporter is not None:
                    self._reporter.close()
                self.training.close()

    def _start(self, fabric: Fabric) -> None:
        options, self._fabric = self.options, fabric
        self._losses = LossMonitor(fabric.device)
        parts = self.training.start(fabric)
        self._checkpoints = Checkpoints(self.folder, {**parts, "watch": self._losses})
        spent = 0.0
        if self.schedule is not None:
            self.done, spent, self.points = self._checkpoints.load()
            if self.done:
                self._tell([f"  continues after step {self.done} of {self.schedule.total}"])
        self.training.resume(self.done)
        self._stopwatch = Stopwatch(spent, self.done)
        budget = (
            TimeBudget(options.seconds, self._stopwatch, options.counts, options.warmup) if options.seconds else None
        )
        self._budget = budget
        if fabric.global_rank == 0:
            self._reporter = Reporter(
                options.name, self.folder, self._per_epoch, options.tensorboard, self.console, self.points, self.done
            )

    def _between_steps(self) -> None:
        if self._losses.due:
            if not self._healthy():
                return
            self._tick()
        if self.schedule is None:
            self._probe()
        if self.schedule is not None:
            if self.training.ends_lap(self.done, self.schedule) and not self._end_lap(self.schedule):
                return
            if self._budget and self._budget.due(self.schedule, self.done):
                self._replan(self._budget, self.schedule)
            if self.done >= self.schedule.total:
                return
        if self._reporter is not None:
            self._reporter.draw(self.done, self.schedule, lambda: self._losses.mean.item())
            stopping = self.interrupt.asked
            if (stopping or self._checkpoints.due) and self._save() and stopping:
                raise FaceletError(self.how_to_continue())

    def _end(self) -> None:
        assert self.schedule is not None
        if self._fabric.global_rank == 0:
            seconds = round(self._stopwatch.spent, 2)
            self.training.finish({"steps": self.done, "epochs": round(self.schedule.epochs, 3), "seconds": seconds})
        self._fabric.barrier()  # from here on every process may read what the first one wrote

    def how_to_continue(self) -> str:
        total = f" of {self.schedule.total}" if self.schedule else ""
        kept = self.folder.state_path.exists()
        where = "from its last checkpoint" if kept else "from the start of this training, which had no checkpoint yet"
        return (
            f"{self.options.name}: stopped after step {self.done}{total}; `facelet run --resume RUN` continues {where}"
        )

    @property
    def _per_epoch(self) -> int:
        return self.options.counts["steps_per_epoch"]

    def _healthy(self) -> bool:
        """Whether all losses so far are finite; otherwise the training goes back to an earlier state."""
        try:
            self._losses.check(self.done, self._per_epoch)
        except FaceletError as error:
            trouble = str(error)
        else:
            return True
        self._go_back(trouble)
        return False

    def _go_back(self, trouble: str) -> None:
        """Restores an earlier state. The time of the undone steps stays spent, so the remaining steps are re-planned."""
        self.done, line = self.training.recover(trouble)
        self._stopwatch.back_to(self.done)
        self._losses.restart()
        self._checkpoints.save(self.done, self._stopwatch.spent, self.points)
        self._tell([line])
        if self._budget and self.schedule and self.schedule.marks:
            schedule = self.schedule.until(self.done)
            self._follow(schedule)
            self._budget.checked(schedule, self.done)
            if self.done >= schedule.marks[-1].step:
                self._replan(self._budget, schedule)

    def _tick(self) -> None:
        """Ends a block of the stopwatch, after a synchronization with the device."""
        if self._fabric.device.type == "cuda":
            torch.cuda.synchronize(self._fabric.device)
        self._stopwatch.tick(self.done)
        if lost := self._stopwatch.stood_still():
            self._tell([f"  stood still for {duration(lost)}, which is not counted"])

    def _probe(self) -> None:
        """Times the first steps, and plans the schedule after enough of them."""
        budget = self._budget
        assert budget is not None
        self._tick()
        if not self._fabric.broadcast(budget.enough()):  # processes must agree to stop
            return
        with self._stopwatch.aside("probe", self.done):
            settle, validation = self.training.costs(self.done)
        schedule = self._fabric.broadcast(budget.first(self.done, settle, validation))
        self._follow(schedule)
        self._tell(budget.summary(schedule))

    def _replan(self, budget: TimeBudget, before: Schedule) -> None:
        """Re-plans the schedule where the pace has changed. The first process decides."""
        self._tick()
        schedule = self._fabric.broadcast(budget.replan(before, self.done))
        if schedule != before:
            self._follow(schedule)
            self._tell(budget.changes(before, schedule))
        budget.checked(schedule, self.done)

    def _follow(self, schedule: Schedule) -> None:
        """Follows ``schedule`` from here on. It is saved before the next step, so that a killed training replays it."""
        self.schedule = schedule
        if self._fabric.global_rank == 0:
            self.folder.save_plan(schedule, self.options.precision)

    def _end_lap(self, schedule: Schedule) -> bool:
        """Validation, and a point of the curves. False when the training has gone back to an earlier state."""
        if not self._healthy():
            return False
        self._tick()
        before = self._stopwatch.spent
        with self._stopwatch.aside("lap", self.done):
            lap = self.training.lap(self.done, schedule)
        if lap.trouble:
            self._go_back(lap.trouble)
            return False
        if lap.val_loss is None:
            return True
        if self._budget:
            self._budget.validated(self.done, self._stopwatch.spent - before, lap.batches)
        train_loss = self._fabric.all_reduce(self._losses.mean, reduce_op="mean")
        assert isinstance(train_loss, torch.Tensor)
        self._losses.restart()
        if self._reporter is not None:
            self._reporter.add(
                CurvePoint(
                    epoch=self.done / self._per_epoch,
                    step=self.done,
                    seconds=self._stopwatch.spent,
                    lr=lap.lr,
                    train_loss=train_loss.item(),
                    val_loss=lap.val_loss,
                    val_accuracy=lap.val_accuracy,
                )
            )
        return True

    def _save(self) -> bool:
        """Saves a checkpoint, if all losses so far are finite. False when the training has gone back to an earlier state.

        No checkpoint is saved before the schedule is planned: a resumed training runs and times its first steps again.
        """
        if self.schedule is not None:
            if not self._healthy():
                return False
            with self._stopwatch.aside("checkpoint", self.done):
                self._checkpoints.save(self.done, self._stopwatch.spent, self.points)
        return True

    def _tell(self, lines: Sequence[str]) -> None:
        if self.say:
            for line in lines:
                self.say(line)

    @contextlib.contextmanager
    def _reported(self, world: int) -> Iterator[None]:
        """Writes a FaceletError to a file for the process that raises it; converts out-of-memory errors to FaceletError."""
        name, batch = self.options.name, self.options.batch
        try:
            yield
        except torch.OutOfMemoryError as error:
            raise self._written(f"{name}: out of memory with a batch of {batch}; try half", world) from error
        except FaceletError as error:
            raise self._written(str(error), world) from None

    def _written(self, message: str, world: int) -> FaceletError:
        if world > 1:
            files.write_json(self.folder.stopped_path, {"error": message})
        return FaceletError(message)


@contextlib.contextmanager
def _benchmarked(device: torch.device) -> Iterator[None]:
    """Lets cuDNN time its kernels on a GPU; the setting is restored at the end."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = device.type == "cuda"
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before
