"""Training speed of nets in float32 and in bfloat16; `precision: auto` takes bfloat16 where the processor has it.

    python benchmarks/precision.py [--size 48] [--batch 64] [NET ...]

Medians of three steps on random pixels; a net's two precisions directly after each other. Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse

from rich.console import Console
from rich.table import Table

from facelet import nets
from facelet.learn.device import precision
from facelet.learn.engine.estimate import steps_in_turn
from facelet.measure.efficiency.machine import machine

NETS = (
    "resnet18",
    "resnet18-finegrained",
    "resnet18-light",
    "resnet18-cbam",
    "vgg11",
    "vgg11-light",
    "resvgg19",
    "squeezenet",
    "shufflenet-v2",
    "timm/mobilenetv2_100",
    "timm/mobilenetv3_small_100",
    "rescaps",
    "repvgg",
    "mobilefacenet",
    "seresnet18",
)
KINDS: tuple[precision.Wish, precision.Wish] = ("fp32", "bf16")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nets", nargs="*", default=NETS, metavar="NET")
    parser.add_argument("--size", type=int, default=48)
    parser.add_argument("--batch", type=int, default=64)
    args = parser.parse_args()
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("net", *(f"{kind}, faces/s" for kind in KINDS), "ratio"):
        table.add_column(title, justify="left" if title == "net" else "right")
    for name in args.nets:
        spec = nets.resolve(name, classes=8, size=args.size, channels=1)
        rates = [args.batch / steps_in_turn([spec], args.batch, kind, rounds=3)[0] for kind in KINDS]
        table.add_row(name, *(f"{rate:,.0f}" for rate in rates), f"{rates[1] / rates[0]:.1f}")
    Console().print(f"{args.size} px, batches of {args.batch}; {machine()}", table)


if __name__ == "__main__":
    main()
