"""Speed and memory of following a stream: frames per second with one and five faces, dropped frames, memory over some minutes.

    taskset -c 0,1 python benchmarks/stream.py photos.zip --minutes 1
    taskset -c 0,1 python benchmarks/stream.py photos.zip --minutes 60 --faces 5

The stream is MJPEG over HTTP on loopback, sent by another process: a face (or five) of the photos that moves over a plain
background, in a loop of two seconds. The flicker is the number of changes of label per second of a track, of the frames alone and
of the averaged probabilities; the faces move and change size, but their expressions do not.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from mjpeg_server import MjpegServer
from rich.console import Console
from rich.table import Table

from facelet.io import pixels
from facelet.io.pixels import Image, cv2
from facelet.runtime.analyzer import Analyzer
from facelet.runtime.detector import FRAMES, Detector
from facelet.runtime.media import photos
from facelet.runtime.media.stream import Stream
from facelet.runtime.media.watch import analyzed_frames, tracker_for

WIDTH, HEIGHT = 1280, 720
LOOP = 2.0
FACES = (1, 5)
SIDE = 150
WARM = 10.0
"""Seconds after which buffers have grown to their size."""


class Measured(NamedTuple):
    """Frames received and analysed per second, frames dropped, faces per frame, memory at start and end in MB, flicker."""

    sent: float
    analysed: float
    dropped: int
    faces: float
    first: float
    last: float
    flicker: tuple[float, float]


def clip(faces: list[Image], fps: float, width: int = WIDTH, height: int = HEIGHT) -> list[bytes]:
    """JPEG frames of a loop in which the faces swing and grow."""
    frames = []
    for number in range(round(LOOP * fps)):
        turn = 2 * np.pi * number / (LOOP * fps)
        noise = np.random.default_rng(number).integers(-4, 5, (height, width, 1))
        canvas = np.clip(np.full((height, width, 3), 110) + noise, 0, 255).astype(np.uint8)
        for place, face in enumerate(faces):
            side = round(2 * SIDE * (1 + 0.1 * np.sin(turn + place)))
            x = round((place + 0.5) * width / len(faces) - side / 2 + 8 * np.cos(turn))
            y = round(height / 2 - side / 2 + 60 * np.sin(turn + place))
            left, right = max(0, x), min(width, x + side)
            canvas[y : y + side, left:right] = pixels.resize(face, side)[:, left - x : right - x]
        frames.append(cv2.imencode(".jpg", canvas[..., ::-1])[1].tobytes())
    return frames


def portraits(place: Path, detector: Detector, count: int) -> list[Image]:
    """Squares of twice a face's side, from photos with one face of at least SIDE / 2 pixels."""
    with tempfile.TemporaryDirectory() as folder:
        if place.is_file():
            with zipfile.ZipFile(place) as pack:
                pack.extractall(folder)
        found = []
        for file in photos.find([folder if place.is_file() else place]):
            photo = pixels.to_channels(pixels.read(file), 3)
            faces = detector(photo)
            if len(faces) == 1 and "noface" not in file.parts:
                left, top, width, height = faces[0].box
                side = max(width, height)
                y, x = (max(0, round(low + size / 2 - side)) for low, size in ((top, height), (left, width)))
                cut = photo[y : y + round(2 * side), x : x + round(2 * side)]
                if side >= SIDE / 2 and min(cut.shape[:2]) > 1.7 * side:
                    found.append(cut[: min(cut.shape[:2]), : min(cut.shape[:2])])
            if len(found) == count:
                return found
    raise SystemExit(f"{place}: {len(found)} suitable portraits, expected {count}")


def measured(url: str, analyzer: Analyzer, seconds: float) -> Measured:
    """Follows a stream for some seconds."""
    count, faces, first = 0, 0, 0.0
    with Stream(url) as stream:
        tracker = tracker_for(analyzer, live=True)
        start = time.monotonic()
        for result in analyzed_frames(stream, analyzer, tracker):
            count, faces, spent = count + 1, faces + len(result.faces), time.monotonic() - start
            if not first and spent >= min(seconds / 2, WARM):
                first = memory()
            if spent >= seconds:
                break
        changes = [sum(track.changes[which] for track in tracker.tracks) for which in (0, 1)]
        followed = max(1e-6, sum(track.end - track.start for track in tracker.tracks))
    sent = (count + stream.dropped) / spent
    flicker = changes[0] / followed, changes[1] / followed
    return Measured(sent, count / spent, stream.dropped, faces / max(1, count), first, memory(), flicker)


def memory() -> float:
    """Resident memory of this process in MB (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def serve(folder: Path, fps: float) -> None:
    """The other process: prints its address, and sends until its standard input is closed."""
    with MjpegServer([file.read_bytes() for file in sorted(folder.glob("*.jpg"))], fps) as server:
        print(server.url, flush=True)
        sys.stdin.read()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--faces", type=int, nargs="+", default=FACES)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--fps", type=float, default=30.0)
    parser.add_argument("--model", default="")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve(args.photos, args.fps)
        return
    detector = Detector(**FRAMES)
    analyzer = Analyzer(args.model, detector, args.threads)
    people = portraits(args.photos, detector, max(args.faces))
    table = Table(
        box=None, pad_edge=False, title=f"{WIDTH} x {HEIGHT}, {args.fps:g} frames/s sent, {args.minutes:g} min"
    )
    for column in (
        "faces",
        "faces found",
        "received/s",
        "analysed/s",
        "dropped",
        "MB after 10 s",
        "MB at the end",
        "flicker",
    ):
        table.add_column(column, justify="right")
    for count in args.faces:
        with tempfile.TemporaryDirectory() as folder:
            for number, frame in enumerate(clip(people[:count], args.fps)):
                Path(folder, f"{number:04}.jpg").write_bytes(frame)
            command = [sys.executable, __file__, folder, "--serve", "--fps", str(args.fps)]
            with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
                assert server.stdout
                assert server.stdin
                row = measured(server.stdout.readline().strip(), analyzer, 60 * args.minutes)
                server.stdin.close()
        flicker = f"{row.flicker[0]:.2f} -> {row.flicker[1]:.2f}"
        figures = (f"{row.faces:.2f}", f"{row.sent:.1f}", f"{row.analysed:.1f}", f"{row.dropped:,}", f"{row.first:.0f}")
        table.add_row(str(count), *figures, f"{row.last:.0f}", flicker)
    Console().print(table)


if __name__ == "__main__":
    main()
