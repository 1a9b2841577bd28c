"""The optimizer of a training: AdamW (https://arxiv.org/abs/1711.05101), Muon, or SGD with Nesterov momentum.

>>> optimizer = make_optimizer([net], Optimization("adamw", lr=0.002, weight_decay=0.05))

Biases and norms are not decayed. The learning rate is set before every step by the schedule, with ``set_lr``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from facelet.errors import FaceletError
from facelet.learn.engine.muon import MuonWithAdamW, is_dense_convolution

Kind = Literal["adamw", "muon", "sgd"]
LR: dict[Kind, float] = {"adamw": 0.002, "muon": 0.01, "sgd": 0.05}
WEIGHT_DECAY: dict[Kind, float] = {"adamw": 0.05, "muon": 0.05, "sgd": 5e-4}


@dataclass(frozen=True)
class Optimization:
    """Optimizer and its settings. ``lr``: peak learning rate; ``clip``: largest norm of the gradient, 0 for no limit."""

    kind: Kind
    lr: float
    weight_decay: float
    clip: float = 0.0


def make_optimizer(modules: Sequence[nn.Module], choice: Optimization) -> torch.optim.Optimizer | MuonWithAdamW:
    """The optimizer of all parameters of ``modules`` that require a gradient; modules must be on their device.

    Raises FaceletError for Muon without a convolution to train.
    """
    trained = [p for module in modules for p in module.parameters() if p.requires_grad]
    if choice.kind == "muon":
        if not any(map(is_dense_convolution, trained)):
            raise FaceletError(
                "optimizer: muon is for convolutions, and no dense convolution is trained here; use adamw"
            )
        return MuonWithAdamW(trained, choice.lr, choice.weight_decay)
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": choice.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if choice.kind == "adamw":
        return torch.optim.AdamW(groups, lr=choice.lr, fused=True)
    return torch.optim.SGD(groups, lr=choice.lr, momentum=0.9, nesterov=True, fused=True)


def set_lr(optimizer: torch.optim.Optimizer | MuonWithAdamW, lr: float) -> None:
    """Sets the learning rate of all groups, each with its own scale."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group.get("lr_scale", 1.0)
