"""Runs a model file in every runtime that is available here and compares the answers: is its accuracy the same everywhere?

    python benchmarks/portability.py expression expression-tiny --faces ferplus:ferplus.zip
    python benchmarks/portability.py student-int8.onnx --reference student.onnx --faces ferplus:ferplus.zip --json rows.json
    python benchmarks/portability.py identity --faces lfw:lfw_112.zip --runtimes onnxruntime,wasm

Every runtime gets the same float32 inputs, one face at a time, on one thread. The reference is the model's fp32 twin, run by this
machine's ONNX Runtime. Processors that this machine does not have (x86 without VNNI, ARM64) are emulated by QEMU: correct but slow,
so a run stops after --seconds with the faces done so far. A missing runtime is listed with what to install. On Debian:

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
from portability.scores import Judge, Row, Sample
from portability.table import show
from rich.console import Console

from facelet.errors import FaceletError, unknown
from facelet.io.files import write_json
from facelet.measure.efficiency.machine import machine
from facelet.models import bundled, model_file
from facelet.runtime.model import Model, prepared


def main() -> None:
    asked = _asked()
    console = Console()
    try:
        for name in asked.prepare:
            console.print(f"preparing {name} in {asked.cache / name} ...")
            PREPARED[name](asked.cache)
        if not asked.models:
            return
        found = []
        for model in asked.models:
            found.append(measured(model, asked, console))
            show(found[-1], console)
        console.print(f"this machine: {machine(0)}", style="dim", highlight=False)
        if asked.json:
            write_json(asked.json, {"machine": asdict(machine(0)), "models": found})
    except FaceletError as error:
        sys.exit(f"error: {error}")


def measured(name: str, asked: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Rows of one model, and what they were measured on, as JSON values."""
    path = bundled.found(name)
    info = model_file.read(path)
    reference = Model.load(reference_of(name, info, asked.reference), threads=1)
    if (reference.info.task, reference.info.labels) != (info.task, info.labels):
        raise FaceletError(f"{reference.path} has another task or other labels than {path}, so it is no reference")
    sample = Sample.drawn(asked.faces, asked.split, asked.limit, info)
    judge = Judge.of(sample, reference.logits(sample.images), info)
    rows = []
    with tempfile.TemporaryDirectory(prefix="facelet-") as folder:
        inputs = prepared(sample.images, info.input)
        job = Job(path.resolve(), info.input.name, inputs, Path(folder), asked.cache.resolve(), asked.seconds)
        for runtime in asked.runtimes:
            with console.status(f"{name} by {runtime}"):
                rows.append(answered(runtime, job, judge))
    right = judge.correct(judge.reference)
    return {
        "model": str(name),
        "precision": info.precision,
        "task": info.task,
        "reference": reference.info.name or reference.path.stem,
        "reference_accuracy": None if right is None else float(right.mean()),
        "threshold": None if sample.same is None else judge.threshold,
        "faces": sample.name,
        "asked": len(sample.images),
        "rows": [asdict(row) for row in rows],
    }


def answered(runtime: str, job: Job, judge: Judge) -> Row:
    """The row of one runtime, whatever becomes of it."""
    try:
        return judge.row(runtime, RUNTIMES[runtime](job))
    except FaceletError as error:
        return Row(runtime, reason=str(error))


def reference_of(name: str, info: model_file.ModelInfo, given: Path | None) -> Path:
    """The file that a model's answers are held against: the one given, its fp32 twin, or itself where it is in fp32."""
    if given:
        return given
    twins = {model.name: model.twin for model in bundled.models() if model.twin}
    twin = twins.get(name) or (twins.get(info.name) if info.precision == "int8" else None)
    if twin:
        return bundled.path_of(twin)
    if info.precision == "fp32":
        return bundled.found(name)
    raise FaceletError(f"{name} has no fp32 twin in the package; name one: --reference FILE")


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL", help="a model file, or a model that comes with Facelet")
    parser.add_argument("--faces", help="a source, as ferplus:PATH; of pairs for an identity model, as lfw:PATH")
    parser.add_argument("--split", default="test", choices=("train", "val", "test"))
    parser.add_argument("--limit", type=int, default=200, help="faces, or pairs, in a seeded choice; %(default)s")
    parser.add_argument("--reference", type=Path, help="fp32 model file; default: the model's fp32 twin")
    parser.add_argument("--runtimes", default=",".join(RUNTIMES), help="some of %(default)s")
    parser.add_argument("--seconds", type=float, default=120, help="time limit of each runtime; %(default)s")
    parser.add_argument("--cache", type=Path, default=Path(platformdirs.user_cache_dir("facelet")) / "portability")
    parser.add_argument("--prepare", default="", help=f"fetch some of {','.join(PREPARED)} into --cache first")
    parser.add_argument("--json", type=Path, help="write everything here, too")
    asked = parser.parse_args()
    if asked.models and not asked.faces:
        parser.error("--faces SOURCE is missing")
    if not asked.models and not asked.prepare:
        parser.error("give a MODEL, or --prepare")
    if asked.limit < 1 or asked.seconds <= 0:
        parser.error("--limit and --seconds must be above 0")
    for option, valid in (("runtimes", RUNTIMES), ("prepare", PREPARED)):
        names = list(filter(None, getattr(asked, option).split(",")))
        setattr(asked, option, names)
        for name in names:
            if name not in valid:
                parser.error(str(unknown("runtime", name, valid)))
    return asked


if __name__ == "__main__":
    main()
