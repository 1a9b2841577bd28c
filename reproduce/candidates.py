"""Compares small nets: trains each for the same time, quantizes it to int8 and evaluates it on validation faces.

    python reproduce/candidates.py --faces ferplus:ferplus.zip --minutes 10 --out candidates repvgg repvgg:norms=sum squeezenet

A candidate is NET, or NET:option=value,option=value. Candidates finished in the folder are not trained again, so the list can be
extended. All are timed together at the end, when the machine should be idle. Equal time favours nets that learn quickly.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

import facelet.learn
import facelet.shrink  # noqa: F401  (registers the steps)
from facelet.errors import FaceletError
from facelet.faces import FaceSet, load
from facelet.faces.concat import concat
from facelet.io import files
from facelet.measure.efficiency.latency import bench
from facelet.measure.efficiency.machine import machine
from facelet.measure.evaluation import evaluate_model
from facelet.runtime.model import Model
from facelet.shrink.export import export_checkpoint
from facelet.step import STEPS, StepContext, StepResult
from facelet.text import amount, megabytes, milliseconds, percent, signed

WIDTH = 150
"""Minimum width of the table, also in a narrower terminal."""


def parsed(candidate: str) -> tuple[str, dict[str, Any]]:
    """ "repvgg:norms=sum,width=0.5" to ("repvgg", {"norms": "sum", "width": 0.5})."""
    net, _, options = candidate.partition(":")
    pairs = (option.partition("=") for option in options.split(",") if option)
    return net, {key: yaml.safe_load(value) for key, _, value in pairs}


def step(do: str, name: str, **fields: Any) -> Any:
    return STEPS[do].model_validate({"do": do, "as": name, **fields})


def train(candidate: str, folder: Path, faces: FaceSet, fields: dict[str, Any], say: Any) -> None:
    """Writes fp32.onnx and int8.onnx to the folder, and done.json last."""
    net, options = parsed(candidate)

    def job(name: str, models: dict[str, StepResult]) -> StepContext:
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        return StepContext(name, place, faces, models, say=say, recipe="candidates")

    lesson = step("train", "fp32", net=net, net_options=options, **fields)
    lesson.plan(faces, {})
    made = lesson.run(job("fp32", {}))
    export_checkpoint(made.net, folder / "fp32.onnx", faces, described={"name": candidate, "step": "train"})
    small = step("quantize", "int8", of="fp32").run(
        job("int8", {"fp32": StepResult(onnx=folder / "fp32.onnx", net=made.net)})
    )
    small.onnx.replace(folder / "int8.onnx")
    files.write_json(folder / "done.json", {"epochs": made.spent["epochs"], "alike": alike(faces, fields)})


def alike(faces: FaceSet, fields: dict[str, Any]) -> str:
    """Settings that all candidates of a folder share."""
    return f"{faces.protocol}, {faces.size} px, {faces.channels} channels, {fields}"


def is_done(folder: Path, faces: FaceSet, fields: dict[str, Any]) -> bool:
    """Raises FaceletError if the folder was made with other settings."""
    if not (folder / "done.json").exists():
        return False
    before, now = files.read_json(folder / "done.json")["alike"], alike(faces, fields)
    if before != now:
        raise FaceletError(f"{folder} was made with other settings ({before}; now {now}); choose another --out")
    return True


def show(folders: dict[str, Path], faces: FaceSet, console: Console) -> None:
    """Prints a row per candidate, sorted by int8 accuracy."""
    paths = [folder / f"{precision}.onnx" for folder in folders.values() for precision in ("fp32", "int8")]
    where, times = machine(), bench(paths, faces=faces.split("val").images[:64])
    rows = []
    for number, (candidate, folder) in enumerate(folders.items()):
        models = [Model.load(folder / f"{precision}.onnx") for precision in ("fp32", "int8")]
        whole, small = (evaluate_model(model, faces, "val") for model in models)
        lost = small.against(whole)
        rows.append(
            (
                small.accuracy,
                candidate,
                f"{files.read_json(folder / 'done.json')['epochs']:.1f}",
                f"{percent(whole.accuracy)} ({percent(whole.all.accuracy_low)} to {percent(whole.all.accuracy_high)})",
                f"{percent(small.accuracy)} ({signed(lost.value)})",
                amount(models[0].info.params),
                amount(models[0].info.macs),
                megabytes((folder / "int8.onnx").stat().st_size),
                milliseconds(times[2 * number].p50_ms),
                milliseconds(times[2 * number + 1].p50_ms),
            )
        )
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    titles = (
        "candidate",
        "epochs",
        "fp32, 95 %",
        "int8 (change)",
        "parameters",
        "MACs",
        "int8 file",
        "fp32 p50",
        "int8 p50",
    )
    for title in titles:
        table.add_column(title, justify="left" if title == "candidate" else "right", no_wrap=True)
    for row in sorted(rows, reverse=True):
        table.add_row(*row[1:])
    console.print(f"validation faces of {faces.protocol}")
    Console(width=max(console.width, WIDTH)).print(table)
    console.print(str(where) + (f"; {where.warning}" if where.warning else ""), style="dim")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("candidates", nargs="+")
    parser.add_argument("--faces", action="append", required=True, help="source of faces; repeatable")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--size", type=int, default=48)
    parser.add_argument("--channels", type=int, choices=(1, 3), default=1)
    parser.add_argument("--targets", choices=("labels", "votes"), default="labels")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    console = Console()
    try:
        faces = concat([load(source, size=args.size, channels=args.channels) for source in args.faces])
        folders = {candidate: args.out / candidate.replace("/", "-").replace(":", "-") for candidate in args.candidates}
        fields = {"minutes": args.minutes, "targets": args.targets}
        for candidate, folder in folders.items():
            if not is_done(folder, faces, fields):
                console.rule(candidate, align="left", style="dim")
                train(candidate, folder, faces, fields, console.print)
        show(folders, faces, console)
    except FaceletError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
