"""Gradients of convolutions in bfloat16 on a CPU: oneDNN's, and those by im2col, which training takes for small maps.

    python benchmarks/convolutions.py [--batch 128]

Medians of seven in milliseconds, forward and backward, for layers of the nets at 48 and 64 px. Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table

from facelet.learn.device.im2col import Im2colConv
from facelet.learn.device.malloc import keep_memory
from facelet.measure.efficiency.machine import machine

LAYERS = (
    # kernel, channels in and out, side of the input in pixels, stride
    (3, 64, 64, 24, 1),
    (3, 64, 64, 16, 1),
    (3, 128, 128, 12, 1),
    (3, 128, 256, 12, 2),
    (3, 120, 120, 8, 1),
    (3, 120, 184, 8, 2),
    (3, 256, 256, 6, 1),
    (3, 256, 512, 6, 2),
    (3, 512, 512, 3, 1),
    (1, 128, 128, 12, 1),
    (1, 256, 256, 6, 1),
    (1, 512, 512, 3, 1),
)


def milliseconds(convolve: Callable[[], torch.Tensor], signal: torch.Tensor) -> float:
    times = []
    for _ in range(8):
        start = time.perf_counter()
        convolve().backward(signal)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:]) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=128)
    args = parser.parse_args()
    keep_memory()
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("kernel", "channels", "input", "stride", "output", "oneDNN, ms", "im2col, ms", "ratio"):
        table.add_column(title, justify="right")
    for kernel, inner, outer, side, stride in LAYERS:
        padding = kernel // 2
        maps = torch.randn(args.batch, inner, side, side, dtype=torch.bfloat16).to(memory_format=torch.channels_last)
        weight = torch.randn(outer, inner, kernel, kernel, dtype=torch.bfloat16).to(memory_format=torch.channels_last)
        given = maps.requires_grad_(), weight.requires_grad_()
        out = torch.conv2d(*given, None, stride, padding).detach()
        signal = torch.randn_like(out)
        theirs = milliseconds(lambda: torch.conv2d(*given, None, stride, padding), signal)  # noqa: B023
        ours = milliseconds(lambda: Im2colConv.apply(*given, (stride, stride), (padding, padding)), signal)  # noqa: B023
        cells = (f"{kernel} x {kernel}", f"{inner} to {outer}", f"{side} px", stride, f"{out.shape[3]} px")
        table.add_row(*map(str, cells), f"{theirs:.1f}", f"{ours:.1f}", f"{theirs / ours:.1f}")
    Console().print(f"batches of {args.batch}; {machine()}", table)


if __name__ == "__main__":
    main()
