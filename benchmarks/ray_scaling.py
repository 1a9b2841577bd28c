"""Scaling of `facelet predict --ray` on this machine: one process, one worker, two workers; then a kill in the middle.

    python benchmarks/ray_scaling.py --photos photos.zip --count 2000

PHOTOS is a folder or zip of ordinary photos; default: photos.zip in FACELET_DATA or ../shared/data. They are copied in turn under
COUNT names. Every process has one thread. Runs are interleaved, in rounds; times are medians, from the call to the last file, with
the start of the workers and the opening of the models, but without the start of Ray, which is printed by itself.

Efficiency of n workers is the time of one worker, divided by n times their time. Then the command is killed by SIGKILL when half of
its files are there, and run again: the files must be those of an uninterrupted run, byte for byte.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from facelet import cpu
from facelet.batch import job
from facelet.batch.cluster import connected
from facelet.batch.predictor import FacePredictor
from facelet.io.pixels import cv2
from facelet.runtime.analyzer import Analyzer
from facelet.runtime.media import photos
from facelet.runtime.media.predictions import predictions

RUNS: tuple[tuple[str, str | None, int], ...] = (
    ("one process, without Ray", None, 0),
    ("Ray, 1 worker", "local", 1),
    ("Ray, 2 workers", "local", 2),
)


def copies(place: Path, count: int, folder: Path) -> Path:
    """A folder of ``count`` photos, those of ``place`` in turn."""
    if place.is_file():
        with zipfile.ZipFile(place) as pack:
            pack.extractall(folder / "unpacked")
        place = folder / "unpacked"
    files = photos.find([place])
    target = folder / "photos"
    target.mkdir()
    for number in range(count):
        file = files[number % len(files)]
        shutil.copyfile(file, target / f"{number:06d}{file.suffix}")
    return target


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def same_answers(source: Path, out: Path, count: int) -> bool:
    """Whether the table has the faces that an Analyzer finds in the first ``count`` photos, to the digits of `--json`."""
    from pyarrow import parquet

    rows: dict[str, list[dict]] = {}
    for row in parquet.read_table(out).to_pylist():
        rows.setdefault(row["file"], []).append(row)
    for result in predictions(Analyzer(threads=1), photos.find([source])[:count]):
        faces = [row for row in rows[result.name] if row["face"]]
        for face, row in zip(result.faces, faces, strict=True):
            values = face.to_json()
            if {label: round(row[f"p_{label}"], 5) for label in face.probabilities} != values["probabilities"]:
                return False
            if [round(row[name], 1) for name in ("left", "top", "width", "height")] != values["box"]:
                return False
    return True


def killed_and_resumed(source: Path, whole: Path, out: Path) -> str:
    """Kills the command when half of the parts are there, runs it again, and compares the folders."""
    command = [sys.executable, "-m", "facelet.cli", "predict", str(source), "--ray", "local", "--workers", "2"]
    command += ["--out", str(out)]
    parts = len(list(whole.glob("part-*")))
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True) as process:
        while len(list(out.glob("part-*"))) < parts // 2 and process.poll() is None:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
    time.sleep(3)  # Ray's workers end with their driver, and may finish a part before
    done = len(list(out.glob("part-*")))
    again = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    same = "the same" if contents(out) == contents(whole) else "NOT the same"
    return f"killed with {done} of {parts} files; then: {again}; the files are {same} as those of an uninterrupted run"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", default="")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    data = (os.environ.get("FACELET_DATA", ""), "../shared/data")
    places = [args.photos, *(str(Path(place) / "photos.zip") for place in data)]
    place = next((Path(place) for place in places if place and Path(place).exists()), None)
    if place is None:
        sys.exit("no photos: give a folder or a zip by --photos")
    cv2.setNumThreads(1)
    console = Console()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        source = copies(place, args.count, folder)
        predictor = FacePredictor(threads=1)
        times: dict[str, list[float]] = {name: [] for name, *_ in RUNS}
        start = time.perf_counter()
        with connected("local") as ray:
            starting, cores = time.perf_counter() - start, ray.cluster_resources().get("CPU", 0)
            for round_ in range(args.rounds):
                for number, (name, address, workers) in enumerate(RUNS):
                    out = folder / f"out-{round_}-{number}"
                    summary = job.run([str(source)], str(out), predictor, ray=address, workers=workers)
                    times[name].append(summary.seconds)
        outs = [folder / f"out-0-{number}" for number in range(len(RUNS))]
        same = all(contents(out) == contents(outs[0]) for out in outs[1:])
        table = Table("what", "seconds", "photos/s", "efficiency", box=None, title=f"{args.count:,} photos")
        medians = {name: statistics.median(values) for name, values in times.items()}
        for name, _, workers in RUNS:
            efficiency = f"{medians['Ray, 1 worker'] / (workers * medians[name]):.0%}" if workers else ""
            table.add_row(name, f"{medians[name]:.1f}", f"{args.count / medians[name]:.0f}", efficiency)
        console.print(table)
        available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        console.print(f"{cpu.description()}, {available} cores for this process, {cores:g} CPUs for Ray", style="dim")
        console.print(f"{args.rounds} interleaved rounds; starting Ray took {starting:.1f} s", style="dim")
        console.print(f"files of all three runs are the same: {'yes' if same else 'NO'}")
        checked = min(args.count, 200)
        answers = "yes" if same_answers(source, outs[0], checked) else "NO"
        console.print(f"answers for the first {checked} photos are those of facelet predict: {answers}")
        console.print(killed_and_resumed(source, outs[0], folder / "killed"), soft_wrap=True)


if __name__ == "__main__":
    main()
