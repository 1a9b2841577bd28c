"""Muon for the dense convolutions of a net, AdamW for everything else, as one optimizer.

Jordan et al. 2024, https://kellerjordan.github.io/posts/muon: the momentum of a weight matrix is orthogonalised, so that all
directions are learned at the same pace. A convolution counts as the matrix (outputs, inputs * kernel); depthwise convolutions,
norms, biases, classifiers and prototypes are left to AdamW, as the authors recommend. Updates are scaled to AdamW's size
(https://arxiv.org/abs/2502.16982), so that learning rates are of the same order.

>>> optimizer = MuonWithAdamW(parameters, lr=0.01, weight_decay=0.05)
>>> set_lr(optimizer, 0.003)   # AdamW's share follows, at 0.3 of it
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

ADAMW_SCALE = 0.3
"""Learning rate of AdamW's parameters, as a share of Muon's."""


class MuonWithAdamW:
    """``torch.optim.Muon`` and ``torch.optim.AdamW`` behind the interface of an optimizer.

    Args:
        parameters: trained parameters; must not be moved or change their memory format afterwards.
        lr: peak learning rate of Muon.
        weight_decay: of all but norms and biases.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], lr: float, weight_decay: float) -> None:
        self._weights = [p for p in parameters if is_dense_convolution(p)]
        self._matrices = [nn.Parameter(_as_matrix(p.detach())) for p in self._weights]
        others = [p for p in parameters if not is_dense_convolution(p)]
        groups = [
            {"params": [p for p in others if p.ndim > 1], "weight_decay": weight_decay},
            {"params": [p for p in others if p.ndim <= 1], "weight_decay": 0.0},
        ]
        muon = torch.optim.Muon(self._matrices, lr=lr, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw")
        self._parts: dict[str, torch.optim.Optimizer] = {"muon": muon}
        if groups := [group for group in groups if group["params"]]:
            self._parts["adamw"] = torch.optim.AdamW(groups, lr=lr * ADAMW_SCALE, fused=True)
            for group in self._parts["adamw"].param_groups:
                group["lr_scale"] = ADAMW_SCALE

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        return [group for part in self._parts.values() for group in part.param_groups]

    def zero_grad(self, set_to_none: bool = True) -> None:
        for part in self._parts.values():
            part.zero_grad(set_to_none)
        for weight in self._weights:
            if set_to_none:
                weight.grad = None
            elif weight.grad is not None:
                weight.grad.zero_()

    def step(self) -> None:
        for weight, matrix in zip(self._weights, self._matrices, strict=True):
            matrix.grad = None if weight.grad is None else _as_matrix(weight.grad, like=weight)
        for part in self._parts.values():
            part.step()

    def state_dict(self) -> dict[str, Any]:
        return {name: part.state_dict() for name, part in self._parts.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name, part in self._parts.items():
            part.load_state_dict(state[name])


def is_dense_convolution(parameter: Tensor) -> bool:
    """Whether it is the weight of a convolution that mixes channels."""
    return parameter.ndim == 4 and parameter.shape[1] > 1


def _as_matrix(weight: Tensor, like: Tensor | None = None) -> Tensor:
    """(outputs, inputs, H, W) as (outputs, inputs * H * W), in the order in which ``like`` lies in memory.

    Shares the memory of ``weight`` when it lies as ``like``, by default itself.
    """
    if not (weight if like is None else like).is_contiguous():
        weight = weight.permute(0, 2, 3, 1)  # channels last
    return weight.view(len(weight), -1) if like is None else weight.reshape(len(weight), -1)
