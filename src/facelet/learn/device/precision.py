"""Precision (float32 or bfloat16) and memory layout of a training.

>>> choose(torch.device("cpu"), "auto")
Precision(bf16=False, channels_last=True)

``auto`` is a fixed rule and not a measurement, so that the same seed gives the same weights on the same machine: bfloat16 on GPUs
and x86 CPUs with native support, see `python benchmarks/precision.py`. Channels last on the CPU.

``bf16`` means bfloat16 on devices with native support. Emulation is several times slower than float32, so other devices use
float32: a recipe runs on every machine, and ``shortfall`` reports in one line the precision that was used.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch

from facelet.errors import FaceletError, unknown
from facelet.learn.device.cpu_kernels import FastKernels

Wish = Literal["auto", "fp32", "bf16"]


@dataclass(frozen=True)
class Precision:
    """Whether to use autocast to bfloat16, and the channels-last memory layout."""

    bf16: bool
    channels_last: bool

    @property
    def memory_format(self) -> torch.memory_format:
        return torch.channels_last if self.channels_last else torch.contiguous_format

    def __str__(self) -> str:
        return ("bf16" if self.bf16 else "fp32") + (", channels last" if self.channels_last else "")


@contextmanager
def computing(device: str, *, bf16: bool) -> Iterator[None]:
    """The block of a training step's forward pass on a "cpu" or "cuda" device.

    In bfloat16, inputs stay in float32 until a layer casts them, and weights are cast at each use: casts in autocast's cache would
    not be part of a captured CUDA graph.
    """
    kernels = FastKernels() if device == "cpu" else nullcontext()
    with torch.autocast(device, torch.bfloat16, enabled=bf16, cache_enabled=False), kernels:
        yield


def choose(device: torch.device, wish: Wish = "auto") -> Precision:
    """The precision and memory layout in which to train on ``device``."""
    bf16 = wish != "fp32" and (cpu_has_bf16() if device.type == "cpu" and wish == "auto" else has_bf16(device))
    return Precision(bf16, channels_last=bf16 or device.type == "cpu")


def resume(kept: Precision, device: torch.device) -> Precision:
    """The precision of a resumed training: ``kept``, or float32 where ``device`` would have to emulate bfloat16.

    A training that began in float32 stays in float32 on every device.
    """
    return replace(kept, bf16=kept.bf16 and has_bf16(device))


def shortfall(device: torch.device, wish: Wish, chosen: Precision, kept: Precision | None = None) -> str:
    """A note for the user when bfloat16 was requested, or used before the resume (``kept``), and ``chosen`` is float32; else ""."""
    if chosen.bf16 or has_bf16(device) or not (kept.bf16 if kept else wish == "bf16"):
        return ""
    what = f"this CPU ({cpu_name()})" if device.type == "cpu" else f"this GPU ({device_name(device)})"
    if kept:
        return (
            f"this training was begun in bf16, which is not native on {what}; it continues in fp32, and its figures will differ "
            "from those of an unbroken run"
        )
    return f"bf16 is not native on {what}; training in fp32"


def has_bf16(device: torch.device) -> bool:
    """Whether ``device`` supports bfloat16 natively."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return cpu_has_bf16() or arm_has_bf16()


def cpu_has_bf16() -> bool:
    """Whether this x86 CPU has bfloat16 instructions (AVX512-BF16 or AMX); emulation would be slower than float32."""
    tests = [getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")]
    return any(test() for test in tests if test is not None)


def arm_has_bf16() -> bool:
    """Whether torch reports bfloat16 instructions on this ARM CPU. ``auto`` does not use them: their speed is not measured."""
    capabilities: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return platform.machine().lower() in ("aarch64", "arm64") and any(
        present is True and "bf16" in name for name, present in capabilities.items()
    )


def cpu_name() -> str:
    """The vector instructions that torch uses on this CPU: "avx2", "avx512"."""
    return torch.backends.cpu.get_cpu_capability().lower()


def pick_device(wish: str = "auto") -> torch.device:
    """The torch device for "auto" (a GPU if present), "cpu" or "cuda". Raises FaceletError when it is unknown or missing."""
    if wish == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if wish not in ("cpu", "cuda"):
        raise unknown("device", wish, ["auto", "cpu", "cuda"])
    if wish == "cuda" and not torch.cuda.is_available():
        raise FaceletError("device cuda was asked for, and torch finds no GPU here; leave it out, or say cpu")
    return torch.device(wish)


def device_name(device: torch.device) -> str:
    """Name of the GPU, or "CPU"."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
