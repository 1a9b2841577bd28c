"""Compares the latency target of pruning with the measured latency, for several kinds of nets.

    python benchmarks/latency_budget.py --ms 0.5

The widths are chosen as in the step `prune`; weights are random, since latency does not depend on them. All files are then timed
again, interleaved, on one thread. The allowed error is 10 %. Run it on an otherwise idle machine.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from facelet import nets
from facelet.errors import FaceletError
from facelet.measure.efficiency.latency import bench
from facelet.measure.efficiency.machine import machine
from facelet.shrink.export import export
from facelet.shrink.pruning.budget import Budget
from facelet.shrink.pruning.search import WidthGrid, WidthSearch
from facelet.text import amount, milliseconds

NETS = ("resnet18", "vgg11", "resvgg19", "shufflenet-v2", "timm/mobilenetv2_100", "timm/mobilenetv3_small_100")
REPEATS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ms", type=float, default=0.5, help="target latency of every net")
    parser.add_argument("--size", type=int, default=48)
    parser.add_argument("nets", nargs="*", default=NETS)
    args = parser.parse_args()
    console, faces = Console(), np.zeros((16, args.size, args.size, 1), np.uint8)
    where = machine()
    with tempfile.TemporaryDirectory() as folder:
        found: dict[str, tuple[int, int, Path]] = {}
        for name in args.nets:
            spec = nets.resolve(name, classes=8, size=args.size)
            try:
                trial = WidthSearch(spec, Budget("latency_ms", args.ms), WidthGrid())
                cut = trial.spec(trial.find(trial.uniform))
            except FaceletError as error:
                console.print(f"{name}: {error}", style="yellow")
                continue
            path = Path(folder) / f"{len(found)}.onnx"
            net = cut.build().eval()
            export(net, cut, path, {"labels": tuple("abcdefgh"), "name": name}, faces)
            found[name] = (trial.cost(trial.whole).params, sum(p.numel() for p in net.parameters()), path)
        paths = [path for *_, path in found.values()]
        times = [[latency.p50_ms for latency in bench(paths)] for _ in range(REPEATS)]
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for column in ("net", "parameters", "target", "p50", "of target"):
        table.add_column(column, justify="left" if column == "net" else "right")
    for (name, (whole, left, _)), column in zip(found.items(), zip(*times, strict=True), strict=True):
        p50 = statistics.median(column)
        kept = abs(p50 / args.ms - 1) <= 0.1
        style = "" if kept else "yellow"
        table.add_row(
            name,
            f"{amount(whole)} → {amount(left)}",
            milliseconds(args.ms),
            milliseconds(p50),
            f"{p50 / args.ms:.0%}",
            style=style,
        )
    console.print(table)
    console.print(str(where) + (f"; {where.warning}" if where.warning else ""), style="dim")


if __name__ == "__main__":
    main()
