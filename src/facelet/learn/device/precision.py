"""In which numbers and in which memory layout a net is trained.

>>> choose(net, torch.device("cpu"), "auto")
Precision(bf16=False, channels_last=True)

``auto`` is a rule and no measurement, so that the same seed gives the same weights on the same machine: bfloat16 on
GPUs that have it themselves, and on CPUs with bfloat16 instructions for nets whose spatial convolutions are mostly dense;
depthwise ones are slower in it, and those of ``nets.layers.separable`` stay out of it by themselves. Channels last on the CPU.

``bf16`` means bfloat16 where the device computes in it itself. Emulation is several times slower than float32, so float32 is used
elsewhere: a recipe runs on every machine, and ``shortfall`` says in one line what it was trained in.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import nn

from facelet.errors import FaceletError, unknown
from facelet.nets.layers.separable import SeparableConv

Wish = Literal["auto", "fp32", "bf16"]


@dataclass(frozen=True)
class Precision:
    bf16: bool
    channels_last: bool

    @property
    def memory_format(self) -> torch.memory_format:
        return torch.channels_last if self.channels_last else torch.contiguous_format

    def __str__(self) -> str:
        return ("bf16" if self.bf16 else "fp32") + (", channels last" if self.channels_last else "")


def choose(net: nn.Module, device: torch.device, wish: Wish = "auto") -> Precision:
    """What ``net`` is trained in on ``device``: autocast to bfloat16 or float32, and the memory layout."""
    bf16 = wish != "fp32" and has_bf16(device)
    if wish == "auto" and device.type == "cpu":
        bf16 = cpu_has_bf16() and is_dense(net)
    return Precision(bf16, channels_last=bf16 or device.type == "cpu")


def resume(kept: Precision, device: torch.device) -> Precision:
    """What a training that was begun in ``kept`` goes on in: the same, or float32 where ``device`` would emulate bfloat16.

    Begun in float32 it stays in float32 on a device that has bfloat16, so that nothing changes that need not.
    """
    return replace(kept, bf16=kept.bf16 and has_bf16(device))


def shortfall(device: torch.device, wish: Wish, chosen: Precision, kept: Precision | None = None) -> str:
    """Why ``chosen`` is not the bfloat16 that was wished for, or that the training was begun in (``kept``); "" when it is."""
    if chosen.bf16 or has_bf16(device) or not (kept.bf16 if kept else wish == "bf16"):
        return ""
    what = f"this CPU ({cpu_name()})" if device.type == "cpu" else f"this GPU ({device_name(device)})"
    if kept:
        return (
            f"bf16, in which this training was begun, is not native on {what}; it goes on in fp32, and its figures will differ "
            "from those of an unbroken run"
        )
    return f"bf16 is not native on {what}; training in fp32"


def is_dense(net: nn.Module) -> bool:
    """Whether dense convolutions hold nine tenths of the weights in the convolutions of more than one pixel."""
    apart = {id(module.depthwise) for module in net.modules() if isinstance(module, SeparableConv)}
    convs = [module for module in net.modules() if isinstance(module, nn.Conv2d) and id(module) not in apart]
    weights = [(conv.groups == 1, conv.weight.numel()) for conv in convs if conv.kernel_size != (1, 1)]
    return sum(count for dense, count in weights if dense) >= 0.9 * sum(count for _, count in weights)


def has_bf16(device: torch.device) -> bool:
    """Whether ``device`` computes in bfloat16 itself."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return cpu_has_bf16() or arm_has_bf16()


def cpu_has_bf16() -> bool:
    """Whether this x86 CPU multiplies bfloat16 itself (AVX512-BF16 or AMX); emulation would be slower than float32."""
    found = [getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")]
    return any(test() for test in found if test is not None)


def arm_has_bf16() -> bool:
    """Whether this ARM CPU does, as far as torch can tell. ``auto`` does not use it there: nobody has measured whether it pays."""
    capabilities: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return platform.machine().lower() in ("aarch64", "arm64") and any(
        found is True and "bf16" in name for name, found in capabilities.items()
    )


def cpu_name() -> str:
    """The vector instructions that torch uses on this CPU: "avx2", "avx512"."""
    return torch.backends.cpu.get_cpu_capability().lower()


def pick_device(wish: str = "auto") -> torch.device:
    """ "auto" is the GPU where there is one. Raises FaceletError for a device that is not here."""
    if wish == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if wish not in ("cpu", "cuda"):
        raise unknown("device", wish, ["auto", "cpu", "cuda"])
    if wish == "cuda" and not torch.cuda.is_available():
        raise FaceletError("device cuda was asked for, and torch finds no GPU here; leave it out, or say cpu")
    return torch.device(wish)


def device_name(device: torch.device) -> str:
    """ "CPU", or what the GPU calls itself."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
