from __future__ import annotations

import math

import torch

from facelet.nets.layers.simam import SimAM


def test_by_the_papers_energy_place_by_place():
    """1 / e* = ((x - m)^2 + 2 v + 2 s) / (4 (v + s)), the paper's equation 5; v with n - 1 as in its code."""
    maps, s = torch.randn(2, 3, 4, 5, dtype=torch.float64), 0.01
    found = SimAM(s)(maps)
    for n in range(2):
        for c in range(3):
            values = maps[n, c].flatten().tolist()
            mean = sum(values) / 20
            variance = sum((x - mean) ** 2 for x in values) / 19
            for x, y in zip(values, found[n, c].flatten().tolist(), strict=True):
                inverse = ((x - mean) ** 2 + 2 * variance + 2 * s) / (4 * (variance + s))
                assert math.isclose(y, x / (1 + math.exp(-inverse)), rel_tol=1e-9)


def test_a_single_place_is_let_through():
    assert torch.isfinite(SimAM()(torch.randn(1, 4, 1, 1))).all()
