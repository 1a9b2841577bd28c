"""In which numbers and in which memory layout a net is trained.

>>> choose(net, torch.device("cpu"), "auto")
Precision(bf16=False, channels_last=False)

``auto`` is a rule and no measurement, so that the same seed gives the same weights on the same machine: bfloat16 on GPUs
that have it, and on CPUs with bfloat16 instructions for nets of dense convolutions. Depthwise ones are slower in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

Wish = Literal["auto", "fp32", "bf16"]


@dataclass(frozen=True)
class Precision:
    bf16: bool
    channels_last: bool

    def __str__(self) -> str:
        return ("bf16" if self.bf16 else "fp32") + (", channels last" if self.channels_last else "")


def choose(net: nn.Module, device: torch.device, wish: Wish = "auto") -> Precision:
    """What ``net`` is trained in on ``device``: autocast to bfloat16 or float32, and the memory layout that suits it."""
    convolutions = [module for module in net.modules() if isinstance(module, nn.Conv2d)]
    dense = all(module.groups == 1 for module in convolutions)
    if wish == "auto":
        able = torch.cuda.is_bf16_supported() if device.type == "cuda" else cpu_has_bf16() and dense
        return Precision(able, able)
    return Precision(wish == "bf16", wish == "bf16")


def cpu_has_bf16() -> bool:
    """Whether this CPU multiplies bfloat16 itself (AVX512-BF16 or AMX); emulation would be slower than float32."""
    found = [getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")]
    return any(test() for test in found if test is not None)


def pick_device(wish: str = "auto") -> torch.device:
    """ "auto" is the GPU where there is one."""
    if wish == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(wish)
