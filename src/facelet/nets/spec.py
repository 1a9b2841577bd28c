"""A net as data: name, options, channel widths, input. Rebuilds the net in a clean process; never a pickle.

>>> spec = NetSpec("shufflenet-v2", classes=8, options={"width": 0.5})
>>> net = spec.build()
>>> save(net, spec, "student.safetensors"); net, spec = load("student.safetensors")
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import nn

from facelet.errors import FaceletError
from facelet.files import writing


@dataclass(frozen=True)
class NetSpec:
    """All that is needed to rebuild a net, its weights aside.

    Attributes:
        name: registered name, or "timm/NAME".
        classes: number of outputs.
        size: side of the input in pixels.
        channels: 1 grey, 3 RGB.
        options: keyword arguments of the net, JSON values.
        widths: module path -> shape, for every layer that pruning has changed (see nets.widths); empty for an uncut net.
        mean, std: the input statistics the net was trained with, per channel, for pixels in [0, 1].
    """

    name: str
    classes: int
    size: int = 48
    channels: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)
    widths: Mapping[str, list[int]] = field(default_factory=dict)
    mean: tuple[float, ...] = (0.5,)
    std: tuple[float, ...] = (0.25,)
