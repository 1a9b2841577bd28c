"""Runs a model file in every available runtime and compares outputs and accuracy.

    python benchmarks/portability.py expression expression-tiny --faces ferplus:ferplus.zip
    python benchmarks/portability.py student-int8.onnx --reference student.onnx --faces ferplus:ferplus.zip --json rows.json
    python benchmarks/portability.py identity --faces lfw:lfw_112.zip --runtimes onnxruntime,wasm

Every runtime gets the same float32 inputs, one face at a time, on one thread. The reference is the model's fp32 twin, run by this
machine's ONNX Runtime. Processors that this machine does not have (x86 without VNNI, ARM64) are emulated by QEMU: correct but slow,
so a run stops after --seconds with the faces done so far. A missing runtime is listed with installation instructions. On Debian:

    apt-get install qemu-user-static chromium npm && pip install openvino
    python benchmarks/portability.py --prepare wasm,arm64
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import platformdirs
from portability.job import Job
from portability.runtimes import PREPARED, RUNTIMES
from portability.scores import Comparison, Row, Sample
from portability.table import show
from rich.console import Console

from facelet.errors import FaceletError, unknown
from facelet.io.files import write_json
from facelet.measure.efficiency.machine import machine
from facelet.models import bundled, model_file
from facelet.runtime.model import Model, prepared


def main() -> None:
    args = _parse_args()
    console = Console()
    try:
        for name in args.prepare:
            console.print(f"preparing {name} in {args.cache / name} ...")
            PREPARED[name](args.cache)
        if not args.models:
            return
        found = []
        for model in args.models:
            found.append(measured(model, args, console))
            show(found[-1], console)
        console.print(f"this machine: {machine(0)}", style="dim", highlight=False)
        if args.json:
            write_json(args.json, {"machine": asdict(machine(0)), "models": found})
    except FaceletError as error:
        sys.exit(f"error: {error}")


def measured(name: str, args: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Results of one model and their test data, as JSON values."""
    path = bundled.found(name)
    info = model_file.read(path)
    reference = Model.load(reference_of(name, info, args.reference), threads=1)
    if (reference.info.task, reference.info.labels) != (info.task, info.labels):
        raise FaceletError(
            f"{reference.path} has another task or other labels than {path}, so it cannot be the reference"
        )
    sample = Sample.drawn(args.faces, args.split, args.limit, info)
    comparison = Comparison.of(sample, reference.logits(sample.images), info)
    rows = []
    with tempfile.TemporaryDirectory(prefix="facelet-") as folder:
        inputs = prepared(sample.images, info.input)
        job = Job(path.resolve(), info.input.name, inputs, Path(folder), args.cache.resolve(), args.seconds)
        for runtime in args.runtimes:
            with console.status(f"{name} by {runtime}"):
                rows.append(answered(runtime, job, comparison))
    right = comparison.correct(comparison.reference)
    return {
        "model": str(name),
        "precision": info.precision,
        "task": info.task,
        "reference": reference.info.name or reference.path.stem,
        "reference_accuracy": None if right is None else float(right.mean()),
        "threshold": None if sample.same is None else comparison.threshold,
        "faces": sample.name,
        "asked": len(sample.images),
        "rows": [asdict(row) for row in rows],
    }


def answered(runtime: str, job: Job, comparison: Comparison) -> Row:
    """Result of one runtime, also on failure."""
    try:
        return comparison.row(runtime, RUNTIMES[runtime](job))
    except FaceletError as error:
        return Row(runtime, reason=str(error))


def reference_of(name: str, info: model_file.ModelInfo, given: Path | None) -> Path:
    """The reference file: the given file, the fp32 twin, or the model itself if it is fp32."""
    if given:
        return given
    twins = {model.name: model.twin for model in bundled.models() if model.twin}
    twin = twins.get(name) or (twins.get(info.name) if info.precision == "int8" else None)
    if twin:
        return bundled.path_of(twin)
    if info.precision == "fp32":
        return bundled.found(name)
    raise FaceletError(f"{name} has no fp32 twin in the package; give one with --reference FILE")


def _parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL", help="a model file, or the name of a bundled model")
    parser.add_argument("--faces", help="source, such as ferplus:PATH; for an identity model pairs, such as lfw:PATH")
    parser.add_argument("--split", default="test", choices=("train", "val", "test"))
    parser.add_argument(
        "--limit", type=int, default=200, help="size of the seeded random sample of faces or pairs; %(default)s"
    )
    parser.add_argument("--reference", type=Path, help="fp32 model file; default: the model's fp32 twin")
    parser.add_argument("--runtimes", default=",".join(RUNTIMES), help="comma-separated list; default: %(default)s")
    parser.add_argument("--seconds", type=float, default=120, help="time limit per runtime; %(default)s")
    parser.add_argument("--cache", type=Path, default=Path(platformdirs.user_cache_dir("facelet")) / "portability")
    parser.add_argument("--prepare", default="", help=f"first download these to --cache: {','.join(PREPARED)}")
    parser.add_argument("--json", type=Path, help="also write all results to this file")
    args = parser.parse_args()
    if args.models and not args.faces:
        parser.error("--faces SOURCE is missing")
    if not args.models and not args.prepare:
        parser.error("give a MODEL, or --prepare")
    if args.limit < 1 or args.seconds <= 0:
        parser.error("--limit and --seconds must be above 0")
    for option, valid in (("runtimes", RUNTIMES), ("prepare", PREPARED)):
        names = list(filter(None, getattr(args, option).split(",")))
        setattr(args, option, names)
        for name in names:
            if name not in valid:
                parser.error(str(unknown("runtime", name, valid)))
    return args


if __name__ == "__main__":
    main()
