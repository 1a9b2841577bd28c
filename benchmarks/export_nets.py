"""Exports a net of each architecture, with random weights, to every target, and prints which nodes cannot be represented.

    python benchmarks/export_nets.py
    python benchmarks/export_nets.py --nets repvgg,rescaps --targets litert,ncnn --json nets.json

Each net is exported as fp32 and, calibrated on random faces, as int8. A cell is "fp32 int8", each with the parity gate's verdict:
"ok", "off" for outputs that differ, "-" for a node that the target cannot represent; reasons other than int8 are below the table.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from facelet.deploy import TARGETS
from facelet.deploy.export import build
from facelet.errors import FaceletError
from facelet.io.files import write_json
from facelet.models import model_file
from facelet.nets import NETS, resolve
from facelet.runtime.model import prepared
from facelet.shrink.export import export, reference_outputs, self_tested
from facelet.shrink.int8.qdq import Calibrated, QuantizationConfig

LABELS = tuple("abcdefgh")
TIMM = ("timm/mobilenetv3_small_050", "timm/efficientnet_lite0", "timm/convnext_atto", "timm/vit_tiny_patch16_224")


def models_of(name: str, size: int, folder: Path) -> dict[str, Path]:
    """Model files of a net with random weights: fp32 and int8."""
    torch.manual_seed(0)
    faces = np.random.default_rng(0).integers(0, 256, (16, size, size, 1), np.uint8)
    spec = resolve(name, classes=len(LABELS), size=size, channels=1)
    net = spec.build().eval()
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, torch.nn.BatchNorm2d):  # fresh statistics would let values grow from layer to layer
                module.train()
        net((torch.from_numpy(faces).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5)
    fp32, int8 = folder / "fp32.onnx", folder / "int8.onnx"
    info = export(net.eval(), spec, fp32, {"labels": LABELS, "name": name}, faces)
    graph = Calibrated(fp32, prepared(faces, info.input)).quantized(QuantizationConfig("u8s8"))
    described = info.model_copy(update={"precision": "int8", "target": "portable"})
    model_file.write(graph, self_tested(graph, described, *reference_outputs(fp32, info)), int8)
    return {"fp32": fp32, "int8": int8}


def tried(target: str, path: Path, folder: Path) -> tuple[str, str]:
    """Cell of the table, and the reason of a failure."""
    try:
        verdict = build(TARGETS[target](), path, model_file.read(path), folder / f"{path.stem}{TARGETS[target].suffix}")
    except FaceletError as error:
        return "-", str(error).replace(str(path), "the model")
    if verdict is None:
        return "made", ""
    return ("ok", "") if verdict.passed else ("off", str(verdict))


def main() -> None:
    args = _parse_args()
    console = Console()
    table, reasons, cells = Table("net", *args.targets, box=None), dict[str, None](), dict[str, dict[str, str]]()
    for name in args.nets:
        with tempfile.TemporaryDirectory() as folder, console.status(name):
            try:
                models = models_of(name, args.size, Path(folder))
            except FaceletError as error:
                reasons[f"{name}: {error}"] = None
                continue
            row: dict[str, str] = {}
            for target in args.targets:
                found = {kind: tried(target, path, Path(folder)) for kind, path in models.items()}
                row[target] = " ".join(cell for cell, _ in found.values())
                for kind, (_, reason) in found.items():
                    if reason and "int8 with these ranges" not in reason:
                        reasons[f"{name} {kind}, {target}: {reason}"] = None
        cells[name] = row
        print(name, row, file=sys.stderr)
        table.add_row(name, *row.values())
    console.print(table)
    for reason in reasons:
        console.print(reason, highlight=False, markup=False, soft_wrap=True)
    if args.json:
        write_json(args.json, {"cells": cells, "reasons": list(reasons)})


def _parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", default="", help="comma-separated; default: the registry's, and some of timm")
    parser.add_argument("--targets", default="", help="comma-separated; default: all whose packages are installed")
    parser.add_argument("--size", type=int, default=48)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    args.nets = args.nets.split(",") if args.nets else [*NETS, *TIMM]
    if args.targets:
        args.targets = args.targets.split(",")
        return args
    args.targets = []
    for name in TARGETS:
        try:
            TARGETS[name]().require()
            args.targets.append(name)
        except FaceletError as error:
            print(error, file=sys.stderr)
    return args


if __name__ == "__main__":
    main()
