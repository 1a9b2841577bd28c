"""The optimizer of a training: AdamW (https://arxiv.org/abs/1711.05101) or SGD with Nesterov momentum, fused.

>>> optimizer = make_optimizer([net], Optimization("adamw", lr=0.002, weight_decay=0.05))

Biases and norms are not decayed. The learning rate is set before every step by the schedule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

LR = {"adamw": 0.002, "sgd": 0.05}
WEIGHT_DECAY = {"adamw": 0.05, "sgd": 5e-4}


@dataclass(frozen=True)
class Optimization:
    """Optimizer and its settings. ``lr``: peak learning rate; ``clip``: largest norm of the gradient, 0 for no limit."""

    kind: Literal["adamw", "sgd"]
    lr: float
    weight_decay: float
    clip: float = 0.0


def make_optimizer(modules: Sequence[nn.Module], choice: Optimization) -> torch.optim.Optimizer:
    """The optimizer of all parameters of ``modules`` that require a gradient."""
    trained = [p for module in modules for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": choice.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if choice.kind == "adamw":
        return torch.optim.AdamW(groups, lr=choice.lr, fused=True)
    return torch.optim.SGD(groups, lr=choice.lr, momentum=0.9, nesterov=True, fused=True)
