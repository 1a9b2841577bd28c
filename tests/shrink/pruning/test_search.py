"""The widest net that each budget allows."""

from __future__ import annotations

import pytest
import torch

from facelet import nets
from facelet.errors import FaceletError
from facelet.measure.efficiency.cost import net_cost
from facelet.nets.layers.fusable import fused
from facelet.nets.spec import NetSpec
from facelet.shrink.pruning import budget as room
from facelet.shrink.pruning.budget import Budget
from facelet.shrink.pruning.search import WidthGrid, WidthSearch

SPEC = nets.resolve("resnet18", classes=8, size=32, width=0.5)


def counted(spec: NetSpec) -> int:
    return sum(weight.numel() for weight in spec.build().parameters())


@pytest.mark.parametrize(
    ("kept", "width"),
    [(64, 64), (50, 48), (52, 56), (30, 32), (3, 8), (0, 8)],
)
def test_widths_are_rounded_to_the_grid_and_kept_above_the_cap(kept, width):
    assert WidthGrid(8, 0.9).nearest(64, 64, 1, kept) == width


def test_what_a_layer_does_not_allow_is_not_asked_of_it():
    assert WidthGrid(8, 0.9).nearest(6, 6, 1, 3) == 6  # narrower than the grid
    assert WidthGrid(8, 0.5).nearest(64, 64, 1, 0) == 32  # the cap
    assert WidthGrid(6, 0.9).nearest(64, 64, 4, 20) == 24  # four equal blocks
    assert WidthGrid(8, 0.9).nearest(40, 64, 1, 60) == 40  # never wider than it is


@pytest.mark.slow
@pytest.mark.parametrize(
    "budget", [Budget("params", 0.3), Budget("params", 999_999), Budget("macs", 0.25), Budget("ratio", 0.55)]
)
def test_the_budget_is_met_closely_and_never_passed(budget):
    trial = WidthSearch(SPEC, budget, WidthGrid())
    widths = trial.find(trial.uniform)
    assert 0.93 * trial.limit < trial.figure(widths) <= trial.limit
    assert all(width % 8 == 0 for width in widths.values())
    spec = trial.spec(widths)
    assert trial.cost(widths).params == counted(spec)
    if budget.kind == "params":
        assert counted(spec) == trial.figure(widths)
    if budget.kind == "ratio":
        assert trial.share(widths) >= 0.55
    shares = [1 - widths[name] / whole for name, whole in trial.whole.items()]
    assert max(shares) - min(shares) < 0.25  # 8 of the 32 channels of the narrowest


@pytest.mark.parametrize("kind", ["params", "macs"])
def test_branches_count_as_what_they_become(kind):
    spec = nets.resolve("repvgg", classes=8, size=48)
    trial = WidthSearch(spec, Budget(kind, 0.4), WidthGrid())
    widths = trial.find(trial.uniform)
    cut = fused(trial.spec(widths).build())
    assert 0.85 * trial.limit < trial.figure(widths) == getattr(net_cost(cut, spec), kind) <= trial.limit
    assert trial.cost(widths).params == sum(weight.numel() for weight in cut.parameters())


def test_the_smallest_that_can_be_reached_is_named():
    trial = WidthSearch(SPEC, Budget("params", 0.001), WidthGrid(8, 0.5))
    with pytest.raises(
        FaceletError, match=r"0.1 % of its parameters is at most .*minimum with cap 0.5 and round_to 8 is"
    ):
        trial.find(trial.uniform)


def test_all_layers_compete_when_they_are_ranked_together():
    trial = WidthSearch(SPEC, Budget("ratio", 0.1), WidthGrid(4, 0.9))
    scores = {name: torch.ones(width) for name, width in trial.whole.items()}
    weak, strong = list(scores)[:2]
    scores[weak] = torch.linspace(0.001, 1, trial.whole[weak])
    scores[strong] = torch.linspace(0.9, 1, trial.whole[strong])
    widths = trial.find(trial.ranked(trial.whole, scores))
    assert sum(widths.values()) <= trial.limit
    assert widths[weak] / trial.whole[weak] < widths[strong] / trial.whole[strong]
    assert widths[weak] >= 0.1 * trial.whole[weak]
    now = {name: width - 4 for name, width in trial.whole.items()}
    rule = trial.ranked(now, {name: score[4:] for name, score in scores.items()})
    assert rule(0.0) == now
    assert all(rule(0.9)[name] <= width for name, width in now.items())


@pytest.mark.slow
def test_bytes_are_met_though_a_file_holds_more_than_parameters(monkeypatch):
    exported = []

    def file_bytes(spec):
        exported.append(spec)
        return 4 * counted(spec) + 100_000 + int(20 * counted(spec) ** 0.5)

    monkeypatch.setattr(room, "file_bytes", file_bytes)
    trial = WidthSearch(SPEC, Budget("bytes", 0.4), WidthGrid())
    widths = trial.find(trial.uniform)
    assert 0.95 * trial.limit < file_bytes(trial.spec(widths)) <= trial.limit
    assert len(exported) < 8


@pytest.mark.slow
def test_a_latency_is_met_by_what_was_timed(monkeypatch):
    monkeypatch.setattr(room, "file_latency", lambda spec: 0.1 + counted(spec) / 1e6)
    trial = WidthSearch(SPEC, Budget("latency_ms", 1.0), WidthGrid())
    widths = trial.find(trial.uniform)
    assert 0.9 < trial.figure(widths) <= 1.0
    with pytest.raises(FaceletError, match=r"0.01 ms is at most 0.01 ms; the minimum .* is 0\.\d+ ms"):
        (late := WidthSearch(SPEC, Budget("latency_ms", 0.01), WidthGrid())).find(late.uniform)
