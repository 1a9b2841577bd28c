"""Training of a net on a TrainingTask: its step, validation and result.

>>> training = SupervisedTraining(config)
>>> Loop(training, options, interrupt).run(fabric)
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from facelet import nets
from facelet.errors import FaceletError
from facelet.learn.data.batches import Batch, seed_of
from facelet.learn.device.cuda_graph import CudaGraph
from facelet.learn.engine.checkpoint import Stateful
from facelet.learn.engine.config import TrainingConfig
from facelet.learn.engine.ema import Ema
from facelet.learn.engine.fabric import Fabric
from facelet.learn.engine.optimizer import make_optimizer, set_lr
from facelet.learn.engine.schedule import FIRST, Schedule
from facelet.learn.engine.trainable import Lap
from facelet.learn.engine.validation import Validator
from facelet.learn.tasks.task import TrainingTask


class SupervisedTraining:
    """Trains ``config.net`` in place, as a Trainable of the loop; the result is the moving average of its weights."""

    def __init__(self, config: TrainingConfig) -> None:
        self.config = config
        self._pass: CudaGraph | None = None
        self._lap = Lap()

    def start(self, fabric: Fabric) -> dict[str, Stateful]:
        config, self._fabric = self.config, fabric
        net, task, world = config.net, config.objective, fabric.world_size
        self._module: nn.Module = SummedLosses(net, task)
        if world > 1:
            unshare(self._module)
            self._module = fabric.setup_module(self._module)
        else:  # the module itself, so that a recorded step is made of its kernels alone
            fabric.to_device(self._module)
        self.optimizer = make_optimizer([net, task], config.optimization)
        config.batches.place(fabric.device, fabric.global_rank, world, config.record)
        config.exam.faces.to(fabric.device)
        task.place(fabric.device)
        self._clip = [p for p in (*net.parameters(), *task.parameters()) if p.requires_grad]
        self.ema = Ema(net, config.ema)
        self._validator = Validator(config, self.ema.net, fabric)
        self._pass = CudaGraph(self._forward_and_back, config.name, config.record and task.repeats and world == 1)
        net.train()
        task.train()
        return {"net": net, "objective": task, "ema": self.ema.net, "optimizer": self.optimizer}

    def resume(self, done: int) -> None:
        self.config.batches.step = done
        self._batches = self._endless()

    def _endless(self) -> Iterator[Batch]:
        while True:
            yield from self.config.batches

    def step(self, done: int, schedule: Schedule | None) -> tuple[Tensor, Tensor | None]:
        config, batch = self.config, next(self._batches)
        torch.manual_seed(seed_of(config.seed, 2, done, self._fabric.global_rank))
        rate = FIRST if schedule is None else schedule.rate(done)
        set_lr(self.optimizer, config.optimization.lr * rate)
        assert self._pass is not None
        with self._fabric.autocast():
            loss = self._pass(*batch)
        norm = nn.utils.clip_grad_norm_(self._clip, config.optimization.clip or math.inf)
        self.optimizer.step()
        self.ema.update(done + 1)
        return loss, norm

    def _forward_and_back(self, *batch: Any) -> Tensor:
        self.optimizer.zero_grad(set_to_none=True)
        loss = self._module(*batch)
        self._fabric.backward(loss)
        return loss.detach()

    def ends_lap(self, done: int, schedule: Schedule) -> bool:
        return schedule.ends_lap(done)

    def lap(self, done: int, schedule: Schedule) -> Lap:
        """Validates the moving average of the weights."""
        batches = schedule.settles(done)
        self._validator.settle(done, batches)
        loss, accuracy = self._validator.validate()
        self._lap = Lap(self.optimizer.param_groups[0]["lr"], loss, accuracy, batches)
        return self._lap

    def costs(self, done: int) -> tuple[float, float]:
        return self._validator.seconds(done)

    def recover(self, trouble: str) -> tuple[int, str]:
        """Raises FaceletError with advice: this training cannot recover from a loss that is not finite."""
        config = self.config
        kept = f"the last checkpoint is kept in {config.folder.folder}"
        if not config.folder.state_path.exists():
            kept = "no checkpoint was due yet"
        lr = config.optimization.lr
        raise FaceletError(
            f"{config.name}: {trouble}; {kept}. Try a lower lr than {lr:g}, such as {lr / 3:.1g}, with a new --out"
        )

    def finish(self, spent: dict[str, float]) -> None:
        config, lap = self.config, self._lap
        assert lap.val_loss is not None
        config.folder.write_result({**spent, "val_loss": lap.val_loss, "val_accuracy": lap.val_accuracy})
        nets.save(self.ema.net, config.spec, config.folder.net_path)
        config.folder.clear_state()

    def close(self) -> None:
        if self._pass is not None:
            self._pass.forget()
            self.config.batches.change.forget()


class SummedLosses(nn.Module):
    """Net and task as one module that returns the summed loss of a batch; DDP averages its gradients over processes."""

    def __init__(self, net: nn.Module, task: TrainingTask) -> None:
        super().__init__()
        self.net, self.task = net, task

    def forward(self, *batch: Any) -> Tensor:
        return torch.stack(list(self.task(self.net, Batch(*batch)).values())).sum()


@torch.no_grad()
def unshare(module: nn.Module) -> None:
    """Copies weights and buffers: spawned processes would share the memory of a CPU net."""
    for tensor in (*module.parameters(), *module.buffers()):
        tensor.data = tensor.data.clone()
