"""SimAM, parameter-free attention that weights a position by its distance from its channel's mean.

Yang et al., ICML 2021, https://proceedings.mlr.press/v139/yang21o.html

>>> SimAM()(maps)
"""

from __future__ import annotations

from torch import Tensor, nn


class SimAM(nn.Module):
    """x sigmoid((x - m)^2 / (4 (v + strength)) + 1/2), with m and v each channel's mean and variance over (H, W)."""

    def __init__(self, strength: float = 1e-4) -> None:
        super().__init__()
        self.strength = strength

    def forward(self, maps: Tensor) -> Tensor:
        away = (maps - maps.mean((2, 3), keepdim=True)).square()
        variance = away.sum((2, 3), keepdim=True) / max(1, maps.shape[2] * maps.shape[3] - 1)
        return maps * (away / (4 * (variance + self.strength)) + 0.5).sigmoid()
