"""Speed of inference: `import facelet`, `facelet predict` from a cold start, and a photo from pixels to faces.

    python benchmarks/runtime.py --model runs/tsnet/student-int8.onnx --photos PHOTOS

PHOTOS is a folder or zip of ordinary photos; default: photos.zip in FACELET_DATA or ../shared/data.
The targets are 0.3 s, 2 s, and 2 ms in addition to detector, crop and net.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from facelet.errors import FaceletError
from facelet.io import pixels
from facelet.io.pixels import Image, cv2
from facelet.runtime import align
from facelet.runtime.analyzer import Analyzer
from facelet.runtime.media import photos

CROPS = 100
ROUNDS = 5


def seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def process(*arguments: str) -> float:
    return seconds(lambda: subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL))


def import_time() -> float:
    """Time of `import facelet` in new interpreters, minus the interpreter's own start."""
    bare = [process("-c", "pass") for _ in range(ROUNDS)]
    full = [process("-c", "import facelet") for _ in range(ROUNDS)]
    return statistics.median(full) - statistics.median(bare)


def cold_start(analyzer: Analyzer, images: list[Image], folder: Path) -> float:
    """Wall time of `facelet predict` on CROPS ready crops of 48 pixels, process start included."""
    size, made = 48, 0
    while made < CROPS:
        before = made
        for image in images:
            for face in analyzer.detector(image):
                crop = align.cut(image, face.box, face.landmarks, analyzer.model.info.crop, size)
                cv2.imwrite(str(folder / f"{made:03d}.png"), crop[:, :, ::-1])
                made += 1
                if made == CROPS:
                    break
            if made == CROPS:
                break
        if made == before:
            raise FaceletError("no face in any of the photos")
    command = ["-m", "facelet.cli", "predict", str(folder), "--cropped", "--json", "--model", str(analyzer.model.path)]
    return statistics.median(process(*command) for _ in range(ROUNDS))


def pipeline(analyzer: Analyzer, images: list[Image]) -> dict[str, float]:
    """p50 in ms of each part and of the whole, interleaved, over photos with a face."""
    times: dict[str, list[float]] = defaultdict(list)
    info = analyzer.model.info
    for round_ in range(ROUNDS + 1):
        for image in images:
            started = time.perf_counter()
            found = analyzer.detector(image)
            detected = time.perf_counter()
            crops = [align.cut(image, face.box, face.landmarks, info.crop, info.input.cut_size) for face in found]
            cropped = time.perf_counter()
            analyzer.model.probabilities(crops)
            answered = time.perf_counter()
            whole = seconds(lambda image=image: analyzer.analyze(image))
            if not found or not round_:  # the first round warms up
                continue
            times["detector"].append(detected - started)
            times["crop"].append(cropped - detected)
            times["net"].append(answered - cropped)
            times["whole photo"].append(whole)
            times["beyond the parts"].append(whole - (answered - started))
            times["faces a photo"].append(len(found) / 1000)
    return {part: 1000 * statistics.median(values) for part, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--photos", default="")
    parser.add_argument("--detector", default="")
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()
    places = [
        options.photos,
        *(Path(place) / "photos.zip" for place in (os.environ.get("FACELET_DATA", ""), "../shared/data")),
    ]
    place = next((Path(place) for place in places if place and Path(place).exists()), None)
    if place is None:
        sys.exit("no photos: give a folder or a zip by --photos")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if place.is_file():
            with zipfile.ZipFile(place) as pack:
                pack.extractall(folder / "photos")
            place = folder / "photos"
        files = photos.find([place])
        decoding = [1000 * seconds(lambda file=file: pixels.read(file)) for file in files]
        images = [pixels.read(file) for file in files]
        analyzer = Analyzer(options.model, options.detector, options.threads)
        table = Table("what", "measured", "limit", box=None, title=f"{len(files)} photos, {os.cpu_count()} cores")
        table.add_row("import facelet", f"{import_time():.3f} s", "0.3 s")
        (folder / "crops").mkdir()
        table.add_row(
            f"facelet predict, {CROPS} ready crops", f"{cold_start(analyzer, images, folder / 'crops'):.2f} s", "2 s"
        )
        for part, value in pipeline(analyzer, images).items():
            unit = "" if part == "faces a photo" else " ms"
            table.add_row(f"{part}, p50", f"{value:.2f}{unit}", "2 ms" if part == "beyond the parts" else "")
        table.add_row("(decoding the file, p50)", f"{statistics.median(decoding):.2f} ms", "")
        Console().print(table)


if __name__ == "__main__":
    main()
