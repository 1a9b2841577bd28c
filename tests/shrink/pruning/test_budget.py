"""Budgets, what a net costs by them, and the widest net that each allows."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from facelet import nets
from facelet.nets.spec import NetSpec
from facelet.shrink.pruning import budget as room
from facelet.shrink.pruning.budget import Budget

SPEC = nets.resolve("resnet18", classes=8, size=32, width=0.5)


def counted(spec: NetSpec) -> int:
    return sum(weight.numel() for weight in spec.build().parameters())


@pytest.mark.parametrize(
    ("budget", "limit", "text"),
    [
        (Budget("ratio", 0.4), 600, "60 % of its channels"),
        (Budget("params", 0.2), 200, "20 % of its parameters"),
        (Budget("params", 2_500_000), 2_500_000, "2.50 M parameters"),
        (Budget("bytes", 1_362_944), 1_362_944, "1.36 MB"),
        (Budget("macs", 0.5), 500, "50 % of its MACs"),
        (Budget("latency_ms", 0.7), 0.7, "0.70 ms"),
    ],
)
def test_a_budget_is_absolute_or_a_share(budget, limit, text):
    assert budget.limit(1000) == pytest.approx(limit)
    assert str(budget) == text


@pytest.mark.slow
def test_latency_is_the_median_of_models_side_by_side(monkeypatch):
    times = SimpleNamespace(given=[])

    def bench(paths, seconds):
        times.given.append((len(paths), seconds))
        return [SimpleNamespace(p50_ms=time) for time in (0.9, 0.5, 0.6)]

    monkeypatch.setattr(room, "bench", bench)
    assert room.file_latency(nets.resolve("vgg11", classes=3, size=16, width=0.0625)) == 0.6
    assert times.given == [(room.REPEATS, room.SECONDS)]


@pytest.mark.slow
def test_a_net_without_classes_has_a_file_too():
    spec = nets.resolve("mobilefacenet", classes=0, size=32, width=0.125, embedding=64)
    assert 4 * counted(spec) < room.file_bytes(spec) < 4 * counted(spec) + 200_000
