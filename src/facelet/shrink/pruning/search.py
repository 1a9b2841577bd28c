"""Search for the widest layers that meet a budget: prunes the net's skeleton on trial, with bisection.

>>> trial = WidthSearch(spec, Budget("params", 0.2), WidthGrid(round_to=8, cap=0.9))
>>> widths = trial.find(trial.uniform)      # the same share of every layer
>>> trial.spec(widths), trial.cost(widths)

Rounding changes all layers at the same time. Between the last widths that are too large and the first that fit, layers are narrowed
one at a time, so that the result is as close to the budget as possible and never exceeds it.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from facelet.errors import FaceletError
from facelet.measure.efficiency.cost import Cost, net_cost
from facelet.nets import FaceNet, NetSpec
from facelet.nets.layers.fusable import fused
from facelet.shrink.pruning import budget as budgets
from facelet.shrink.pruning.budget import Budget
from facelet.shrink.pruning.channels import Channels

Widths = dict[str, int]
Rule = Callable[[float], Widths]
"""Function from the share of removed channels, 0 to 1, to widths; monotonically decreasing."""
HALVINGS, CORRECTIONS = 30, 3


@dataclass(frozen=True)
class WidthGrid:
    """Allowed widths of a layer: multiples of ``round_to``, at least 1 - ``cap`` of the original width."""

    round_to: int = 8
    cap: float = 0.9

    def nearest(self, width: int, whole: int, blocks: int, kept: float) -> int:
        """Returns the allowed width nearest to ``kept``, at most ``width``; ``whole``: original width of the layer.

        A layer narrower than ``round_to`` is not pruned.
        """
        unit = math.lcm(self.round_to, blocks)
        least = max(unit, math.ceil(whole * (1 - self.cap) / unit - 1e-9) * unit)
        return min(width, max(least, math.floor(kept / unit + 0.5) * unit))


class WidthSearch:
    """Width search for the unpruned net of ``spec``. Needs no weights and no training.

    Attributes:
        whole: original widths of the layers.
        skeleton: the unpruned net on the meta device.
        limit: absolute limit of the budget.

    Raises FaceletError for a net that cannot be pruned, at all or on this grid.
    """

    def __init__(self, spec: NetSpec, budget: Budget, grid: WidthGrid) -> None:
        self.original, self.budget, self.grid = spec, budget, grid
        self.skeleton = spec.skeleton()
        channels = Channels(copy.deepcopy(self.skeleton), spec)
        self.whole, self._blocks = channels.widths, channels.blocks
        self._figures: dict[tuple[int, ...], float] = {}
        if self.uniform(1.0) == self.whole:
            raise FaceletError(
                f"no layer of {spec.name} can be narrowed with cap {grid.cap:g} and round_to {grid.round_to}; "
                f"its widest layer has {max(self.whole.values())} channels"
            )
        self.limit = budget.limit(0.0 if budget.kind == "latency_ms" else self.figure(self.whole))

    def uniform(self, share: float) -> Widths:
        """Returns widths with the same share of every layer removed, rounded to the grid."""
        if not share:
            return dict(self.whole)
        return {
            name: self.grid.nearest(width, width, self._blocks[name], width * (1 - share))
            for name, width in self.whole.items()
        }

    def ranked(self, now: Mapping[str, int], scores: Mapping[str, Tensor]) -> Rule:
        """Returns the rule that ranks the channels of all layers together, with scores divided by their layer's mean.

        ``now``: widths that the scores belong to.
        """
        values = torch.cat([score / score.mean().clamp(min=1e-12) for score in scores.values()])
        layers = torch.repeat_interleave(torch.tensor([len(score) for score in scores.values()]))
        order = values.argsort(stable=True)
        removed = torch.tensor([self._blocks[name] for name in scores])[layers[order]].cumsum(0)
        gone, total = sum(self.whole.values()) - sum(now.values()), sum(self.whole.values())

        def rule(share: float) -> Widths:
            if not share:
                return dict(now)
            cut = torch.bincount(layers[order[removed <= share * total - gone]], minlength=len(scores)).tolist()
            return {
                name: self.grid.nearest(width, self.whole[name], blocks, width - lost * blocks)
                for (name, width), blocks, lost in zip(
                    now.items(), map(self._blocks.__getitem__, now), cut, strict=True
                )
            }

        return rule

    def find(self, rule: Rule) -> Widths:
        """Returns the largest widths within the budget.

        Raises FaceletError when the unpruned net is within the budget already, or the smallest allowed net is not.
        """
        widest, smallest = rule(0.0), rule(1.0)
        if widest == self.whole and self.figure(widest) <= self.limit:
            raise FaceletError(
                f"the net costs {self.budget.figure(self.figure(widest))}, within the budget of {self.budget.figure(self.limit)}; "
                "there is nothing to prune"
            )
        if self.figure(smallest) > self.limit:
            raise FaceletError(
                f"{self.budget} is at most {self.budget.figure(self.limit)}; the minimum with cap {self.grid.cap:g} and "
                f"round_to {self.grid.round_to} is {self.budget.figure(self.figure(smallest))}"
            )
        if self.budget.kind != "bytes":
            return self._search(rule, lambda widths: self.figure(widths) <= self.limit)
        best, trial = smallest, widest
        for _ in range(CORRECTIONS):  # each export improves the estimate of the bytes besides parameters
            beside = self.figure(trial) - 4 * self._params(trial)
            trial = self._search(rule, lambda widths, more=beside: 4 * self._params(widths) + more <= self.limit)  # type: ignore[misc]
            if self.figure(best) < self.figure(trial) <= self.limit:
                best = trial
        return best

    def figure(self, widths: Widths) -> float:
        """Returns the budgeted quantity of the net with these widths."""
        key = tuple(widths.values())
        if key not in self._figures:
            self._figures[key] = self._figure(widths)
        return self._figures[key]

    def cost(self, widths: Widths) -> Cost:
        return net_cost(self._cut(widths), self.original)

    def spec(self, widths: Widths) -> NetSpec:
        return self.original.measured(self._cut(widths))

    def share(self, widths: Mapping[str, int]) -> float:
        """Returns the share of the original's channels that is removed."""
        return 1 - sum(widths.values()) / sum(self.whole.values())

    def _figure(self, widths: Widths) -> float:
        kind = self.budget.kind
        if kind == "ratio":
            return sum(widths.values())
        if kind == "params":
            return self._params(widths)
        if kind == "macs":
            return self.cost(widths).macs
        return (budgets.file_bytes if kind == "bytes" else budgets.file_latency)(self.spec(widths))

    def _params(self, widths: Widths) -> int:
        return sum(parameter.numel() for parameter in fused(self._cut(widths)).parameters())

    def _cut(self, widths: Widths) -> FaceNet:
        net = copy.deepcopy(self.skeleton)
        Channels(net, self.original).cut(widths)
        return net

    def _search(self, rule: Rule, fits: Callable[[Widths], bool]) -> Widths:
        wide, narrow = rule(0.0), rule(1.0)
        if fits(wide) or not fits(narrow):
            return wide if fits(wide) else narrow
        low, high = 0.0, 1.0
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            widths = rule(middle)
            if widths == narrow or (widths != wide and fits(widths)):
                high, narrow = middle, widths
            else:
                low, wide = middle, widths
        names = [name for name in narrow if narrow[name] != wide[name]]

        def partly(count: int) -> Widths:
            return {**wide, **{name: narrow[name] for name in names[:count]}}

        least, enough = 0, len(names)
        while enough - least > 1:
            middle_count = (least + enough) // 2
            least, enough = (least, middle_count) if fits(partly(middle_count)) else (middle_count, enough)
        return partly(enough)
