"""Exponential moving average of a net's weights: the weights that a training step saves.

Polyak & Juditsky 1992; https://arxiv.org/abs/1803.05407 shows why averaged weights generalise.

>>> ema = Ema(net, decay=0.999)
>>> ema.update(step)  # after each optimizer step
>>> settle(ema.net, inputs)  # before ema.net is validated or saved

It helps short schedules; it has little effect on long ones that end with a learning rate near zero.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from facelet.nets.layers.exits import ExitNet


class Ema:
    """A copy of ``net``, on its device, with the moving average of its weights and batch statistics.

    The average covers about the last 1 / (1 - decay) steps, and fewer at first: decay is at most (1 + step) / (10 + step).
    With ``decay`` 0 the copy equals the net.
    """

    def __init__(self, net: nn.Module, decay: float = 0.999) -> None:
        self.decay = decay
        self.net = copy.deepcopy(net).requires_grad_(False).eval()
        mean, live = self.net.state_dict(), net.state_dict()  # these share memory with the nets
        floating = {name for name, value in mean.items() if value.is_floating_point()}
        self._mean = [mean[name] for name in mean if name in floating]
        self._live = [live[name] for name in mean if name in floating]
        self._counts = [mean[name] for name in mean if name not in floating]
        self._live_counts = [live[name] for name in mean if name not in floating]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Updates the average after the net's ``step``-th optimizer step (1 is the first)."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self._mean, self._live, 1 - decay)
        if self._counts:
            torch._foreach_copy_(self._counts, self._live_counts)


@torch.no_grad()
def settle(net: nn.Module, inputs: Iterable[Tensor]) -> None:
    """Recomputes the statistics of all batch norms, as plain means over ``inputs``, batches of normalised faces.

    Averaged statistics do not match the averaged weights: after a few dozen steps a deep net in eval mode would predict at
    chance level (Wu & Johnson, https://arxiv.org/abs/2105.07576). ``net`` is left in eval mode.
    """
    norms = [module for module in net.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    net.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean
        norm.train()
    for batch in inputs:
        net.answers(batch) if isinstance(net, ExitNet) else net(batch)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    net.eval()
