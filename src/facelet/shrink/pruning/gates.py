"""Squeeze-and-excitation gates on every prunable layer; their mean activation early in training scores the channels.

>>> gates = Gates(Channels(net, spec))
>>> probe(net, gates, objective, batches, steps=300, ...)
>>> Channels(net, spec).scores(GateScore(gates))      # of each channel its mean gate, 0 to 1

Hu et al., https://arxiv.org/abs/1709.01507; for pruning, Liu's master's thesis, 2024. The gates are attached with forward hooks and
removed afterwards, so the net keeps its layers and names.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
import torch_pruning
from timm.layers import SEModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from facelet.errors import FaceletError
from facelet.learn.data.batches import FaceBatches
from facelet.learn.device.precision import Precision
from facelet.learn.engine.optimizer import Optimization, make_optimizer, set_lr
from facelet.learn.engine.schedule import Schedule
from facelet.learn.tasks.task import TrainingTask
from facelet.nets import FaceNet
from facelet.shrink.pruning.channels import Channels
from facelet.shrink.pruning.importance import filters, makers

SEEN = 0.5
"""Share of the probe's steps, at its end, over which gates are averaged; before that they are untrained."""


class Gates(nn.Module):
    """A gate for each layer that creates channels, after its batch norm if it has one.

    Attributes:
        layers: these layers of the net.
        means: mean gate of each channel since the last ``restart``.
    """

    def __init__(self, channels: Channels) -> None:
        super().__init__()
        gated: dict[nn.Module, None] = {}
        for group in channels.groups.values():
            modules = [item.dep.target.module for item in makers(group)]
            modules = [module for module in modules if not isinstance(module, nn.Linear | nn.BatchNorm1d)]  # no maps
            norms = [module for module in modules if isinstance(module, _BatchNorm)]
            gated.update(dict.fromkeys(norms or modules))
        self.layers = tuple(gated)
        self.gates = nn.ModuleList(SEModule(len(filters(layer)[0].weight)) for layer in self.layers)
        self.restart()

    def restart(self) -> None:
        """Resets the means."""
        self._sums: list[Tensor | None] = [None] * len(self.layers)
        self._count = [0] * len(self.layers)

    @property
    def means(self) -> dict[nn.Module, Tensor]:
        """Mean gates (channels,) by layer, on the CPU. Raises FaceletError for NaN or infinite gates."""
        means = {
            layer: (total / count).double().cpu()
            for layer, total, count in zip(self.layers, self._sums, self._count, strict=True)
            if total is not None
        }
        if not all(bool(mean.isfinite().all()) for mean in means.values()):
            raise FaceletError("the training of the gates diverged, so there are no scores; try a lower lr")
        return means

    @contextlib.contextmanager
    def placed(self) -> Iterator[None]:
        """Context in which the gates are attached to the net and their activations recorded."""
        handles: list[Any] = []
        for place, (layer, module) in enumerate(zip(self.layers, self.gates, strict=True)):
            assert isinstance(module, SEModule)
            handles.append(layer.register_forward_hook(lambda _, __, maps, module=module: module(maps)))
            handles.append(module.gate.register_forward_hook(lambda _, __, gate, at=place: self._record(at, gate)))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _record(self, place: int, gate: Tensor) -> None:
        mean, total = gate.detach().float().mean((0, 2, 3)), self._sums[place]
        self._sums[place] = mean if total is None else total + mean
        self._count[place] += 1


class GateScore(torch_pruning.importance.Importance):
    """Importance of a dependency group's channels: mean gate over the layers that create them; 1 without gates.

    Same interface as ``importance.ChannelImportance``.
    """

    def __init__(self, gates: Gates) -> None:
        self.means = gates.means

    def __call__(self, group: Any) -> Tensor:
        total = torch.zeros(len(group[0].idxs), dtype=torch.float64)
        count = torch.zeros_like(total)
        for item in makers(group):
            mean = self.means.get(item.dep.target.module)
            if mean is not None:
                roots = torch.tensor(item.root_idxs)
                total.index_add_(0, roots, mean[item.idxs])
                count.index_add_(0, roots, torch.ones(len(roots), dtype=torch.float64))
        return torch.where(count > 0, total / count.clamp(min=1), 1.0)


def probe(
    net: FaceNet,
    gates: Gates,
    objective: TrainingTask,
    batches: FaceBatches,
    steps: int,
    optimization: Optimization,
    device: torch.device,
    precision: Precision,
) -> None:
    """Trains ``net`` and its gates in place for ``steps`` steps; ``gates.means`` has the result."""
    for module in (net, gates, objective):
        module.to(device).train()
    net.to(memory_format=precision.memory_format)
    objective.normalise.channels_last = precision.channels_last
    batches.place(device)
    batches.total = steps
    optimizer, schedule = make_optimizer([net, gates], optimization), Schedule(steps, steps, steps)
    weights = [*net.parameters(), *gates.parameters()]
    with gates.placed():
        while batches.step < steps:
            for batch in batches:
                done = batches.step - 1
                if done == int(steps * (1 - SEEN)):
                    gates.restart()
                set_lr(optimizer, optimization.lr * schedule.rate(done))
                with torch.autocast(device.type, torch.bfloat16, enabled=precision.bf16):
                    loss = torch.stack(list(objective(net, batch).values())).sum()
                loss.backward()
                nn.utils.clip_grad_norm_(weights, optimization.clip or torch.inf)
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
