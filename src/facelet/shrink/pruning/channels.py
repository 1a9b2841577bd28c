"""Prunable channels of a net, by torch-pruning's dependency graph; ``FaceNet.uncut`` lists the ignored layers.

>>> channels = Channels(net, spec)
>>> channels.widths
{'layer1.0.conv1': 64, 'stem.conv': 64, ...}
>>> channels.cut({"layer1.0.conv1": 40}, channels.scores(ChannelImportance("l2")))
>>> spec.measured(net).widths["layer1.0.conv1.out_channels"]
[40]

Fang et al., DepGraph, https://arxiv.org/abs/2301.12900. Layers that must be pruned together (batch norm, depthwise convolutions,
everything joined by a sum) form a group, named after one of them. Where grouped convolutions, a fine-grained block or capsules
divide a layer into equal blocks, the same channels of all blocks are removed. Layers before a split or slice are not pruned:
torch-pruning 1.6 does not track the order of a split's parts.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

import torch
import torch_pruning
from torch import Tensor
from torch_pruning.ops import OPTYPE

from facelet.errors import FaceletError
from facelet.nets import FaceNet, NetSpec
from facelet.shrink.pruning import custom_layers
from facelet.shrink.pruning.importance import ChannelImportance

OPAQUE = (OPTYPE.SPLIT, OPTYPE.SLICE, OPTYPE.UNBIND, OPTYPE.EXPAND)


class Channels:
    """The prunable layers of ``net`` in its current state, on any device.

    Attributes:
        widths: name of a layer -> its channels.
        blocks: name of a layer -> number of blocks that are pruned alike; the width stays a multiple of it.
        groups: name of a layer -> torch-pruning's group of the layers pruned with it.

    Raises FaceletError with the reason for a net that cannot be pruned.
    """

    def __init__(self, net: FaceNet, spec: NetSpec) -> None:
        self.spec = spec
        self._graph = _graph(net, spec)
        self.widths: dict[str, int] = {}
        self.blocks: dict[str, int] = {}
        self.groups: dict[str, Any] = {}
        names = {module: name for name, module in net.named_modules()}
        for group in self._graph.get_all_groups(ignored_layers=net.uncut()):
            name, width = names[group[0].dep.target.module], len(group[0].idxs)
            blocks = _blocks(group, width)
            if blocks is not None and width > blocks:
                self.widths[name], self.blocks[name], self.groups[name] = width, blocks, group
        if not self.widths:
            raise FaceletError(
                f"{spec.name} cannot be pruned: all of its layers lead into splits or shuffles, or are ignored"
            )

    def scores(self, score: ChannelImportance) -> dict[str, Tensor]:
        """Returns the importance of each layer's channels, float64 (width / blocks,), summed over blocks."""
        return {name: score(group).view(self.blocks[name], -1).sum(0) for name, group in self.groups.items()}

    def cut(self, widths: Mapping[str, int], scores: Mapping[str, Tensor] | None = None) -> None:
        """Prunes the net in place to ``widths``; the object is invalid afterwards.

        ``scores``: as returned by ``scores``; the channels with the lowest scores are removed. Default: the last channels, which
        is sufficient to count the remaining parameters. Raises FaceletError when torch-pruning fails.
        """
        try:
            for name, width in widths.items():
                blocks, part = self.blocks[name], self.widths[name] // self.blocks[name]
                order = torch.arange(part).flip(0) if scores is None else scores[name].argsort(stable=True)
                cut = order[: part - width // blocks].tolist()
                root = self.groups[name][0].dep
                everywhere = [block * part + channel for block in range(blocks) for channel in cut]
                if everywhere:
                    self._graph.get_pruning_group(root.target.module, root.handler, everywhere).prune()
        except (RuntimeError, ValueError, IndexError, AssertionError) as error:
            raise _refused(self.spec, error) from error


def _graph(net: FaceNet, spec: NetSpec) -> torch_pruning.DependencyGraph:
    first = next(net.parameters())
    net.eval()
    try:
        with torch.enable_grad(), warnings.catch_warnings(), custom_layers.hidden(net):
            warnings.simplefilter("ignore")
            face = torch.zeros(1, spec.channels, spec.size, spec.size, device=first.device)
            graph = torch_pruning.DependencyGraph().build_dependency(
                net, face, customized_pruners=custom_layers.PRUNERS, verbose=False
            )
    except Exception as error:  # torch-pruning raises whatever goes wrong in its tracing
        raise _refused(spec, error) from error
    if free := sorted(graph._param_to_name.values()):
        raise FaceletError(f"{spec.name} cannot be pruned: its weight {free[0]!r} is outside of the prunable layers")
    return graph


def _blocks(group: Any, width: int) -> int | None:
    """Returns the number of equal blocks of a layer's channels; None if unknown."""
    total = 1
    for item in group:
        module, kind = item.dep.target.module, item.dep.target.type
        if kind in OPAQUE and getattr(module, "dim", 1) in (1, None):
            return None
        count = custom_layers.blocks(module)
        depthwise = kind == OPTYPE.DEPTHWISE_CONV
        if count > 1 and not depthwise:
            if len(item.idxs) != width:
                return None
            total = math.lcm(total, count)
    return total if width % total == 0 else None


def _refused(spec: NetSpec, error: Exception) -> FaceletError:
    reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return FaceletError(f"{spec.name} cannot be pruned: torch-pruning cannot trace it ({reason[:200]})")
