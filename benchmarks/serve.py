"""Load test of `facelet serve` on loopback: requests per second, latency below and beyond capacity, memory.

    python benchmarks/serve.py --minutes 6

1. Throughput of `facelet predict`'s own loop (``predictions``) on the same crops and photos, in a process of its own.
2. Capacity: --clients connections that send one request after another, each with a raw image body.
3. Latency at 50 % and at 200 % of the capacity: requests start by the clock, whether or not earlier ones are answered.
   Beyond capacity every request must be answered, with 200 or with 429.
4. Memory of the server before and after --requests more photos.

The load comes from another process, which shares the processors with the server; the table says what both used of them. Photos
are JPEGs with a long side of 640 pixels, crops are 48-pixel JPEGs of their faces. The targets are 500 crops a second, photos at
85 % of `facelet predict`'s throughput, no request lost without a 429, and flat memory.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table

from facelet import cpu
from facelet.faces.cartoon import scene
from facelet.io import pixels
from facelet.io.pixels import Image, cv2
from facelet.models import model_file
from facelet.runtime import align
from facelet.runtime.analyzer import Analyzer, find_model
from facelet.runtime.detector import Detector
from facelet.runtime.media import photos
from facelet.runtime.media.predictions import predictions
from facelet.serve.settings import processors

CROP, LONG_SIDE = 48, 640
TARGET_CROPS, TARGET_SHARE, TARGET_GROWTH_MB = 500.0, 0.85, 10.0
PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024


@dataclass
class Load:
    """Answers of a phase: status -> count, latencies of the answered in seconds, and the duration."""

    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0
    late: float = 0.0
    """Largest delay of a request's start, in seconds: the load itself was short of processor time."""

    @property
    def rate(self) -> float:
        return self.statuses[200] / self.seconds

    def quantile(self, share: float) -> float:
        """In milliseconds; of the requests answered with 200."""
        ordered = sorted(self.latencies)
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


class Connection:
    """A connection that is kept alive. A well-known HTTP client would use more processor time than the server."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.reader: asyncio.StreamReader | None = None

    async def post(self, path: str, body: bytes) -> int:
        """Status of the answer; 0 when there is none."""
        try:
            if self.reader is None:
                self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
            head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n\r\n"
            self.writer.write(head.encode() + body)
            answer = await self.reader.readuntil(b"\r\n\r\n")
            headers = answer.lower()
            length = int(headers.split(b"content-length:")[1].split(b"\r\n")[0])
            await self.reader.readexactly(length)
            if b"connection: close" in headers:
                self.close()
            return int(answer[9:12])
        except (OSError, asyncio.IncompleteReadError):
            self.close()
            return 0

    def close(self) -> None:
        if self.reader is not None:
            self.writer.close()
            self.reader = None


async def closed_loop(port: int, path: str, bodies: Sequence[bytes], clients: int, seconds: float, most: int) -> Load:
    """Each client sends its next request after the answer, for some seconds or a number of requests."""
    load, start, sent = Load(), time.perf_counter(), iter(range(most))

    async def client() -> None:
        connection = Connection(port)
        while time.perf_counter() - start < seconds and (number := next(sent, None)) is not None:
            began = time.perf_counter()
            status = await connection.post(path, bodies[number % len(bodies)])
            record(load, status, time.perf_counter() - began)
        connection.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    load.seconds = time.perf_counter() - start
    return load


async def open_loop(port: int, path: str, bodies: Sequence[bytes], rate: float, seconds: float) -> Load:
    """Requests start every 1 / ``rate`` seconds; latency counts from when a request was due."""
    load, free, start = Load(), [], time.perf_counter()

    async def one(number: int) -> None:
        connection = free.pop() if free else Connection(port)
        status = await connection.post(path, bodies[number % len(bodies)])
        record(load, status, time.perf_counter() - start - number / rate)
        free.append(connection)

    tasks = []
    for number in range(max(1, int(rate * seconds))):
        await asyncio.sleep(max(0.0, start + number / rate - time.perf_counter()))
        load.late = max(load.late, time.perf_counter() - start - number / rate)
        tasks.append(asyncio.ensure_future(one(number)))
    await asyncio.gather(*tasks)
    load.seconds = time.perf_counter() - start
    for connection in free:
        connection.close()
    return load


def record(load: Load, status: int, seconds: float) -> None:
    load.statuses[status] += 1
    if status == 200:
        load.latencies.append(seconds)


def client_process(name: str, arguments: tuple, answers: multiprocessing.Queue) -> None:
    """Runs a load and hands over its result with the processor time that this process used."""
    work = {"closed": closed_loop, "open": open_loop}[name]
    load = uvloop.run(work(*arguments))
    times = os.times()
    answers.put((load, times.user + times.system))


def measured(name: str, *arguments: object) -> tuple[Load, float]:
    """Result of a load in a new process, and its processor time in seconds."""
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    process = context.Process(target=client_process, args=(name, arguments, answers))
    process.start()
    result = answers.get()
    process.join()
    return result


class Server:
    """`facelet serve` in a process of its own."""

    def __init__(self, folder: Path, options: Options) -> None:
        command = [sys.executable, "-m", "facelet.cli", "serve", "--port", "0", "--gallery", str(folder / "people.db")]
        command += ["--queue", str(options.queue), "--threads", str(options.threads)]
        command += ["--batch-ms", str(options.batch_ms)]
        # In an empty data folder there are no API keys.
        environment = {
            name: value for name, value in os.environ.items() if name not in ("FACELET_KEYS", "FACELET_API_KEY")
        }
        environment["XDG_DATA_HOME"] = str(folder)
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert self.process.stdout is not None
        self.line = self.process.stdout.readline()
        self.port = int(self.line.split("//")[1].split(" ")[0].rsplit(":", 1)[1])

    def memory(self) -> float:
        """Resident memory in MB."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * PAGE_KB / 1000

    def processor_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)


def predict_rate(folder: Path, cropped: bool, seconds: float) -> float:
    """Images a second of the loop of `facelet predict`, in a process of its own, after a warm-up."""
    command = [sys.executable, __file__, "--predict", str(folder), "--seconds", str(seconds)] + ["--cropped"] * cropped
    return float(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def predicted(folder: Path, cropped: bool, seconds: float) -> float:
    analyzer, files = Analyzer(), photos.find([folder])
    for _ in predictions(analyzer, files[:20], cropped):
        pass
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        count += sum(1 for _ in predictions(analyzer, files, cropped))
    return count / (time.perf_counter() - start)


def scaled(image: Image) -> Image:
    """The image with a long side of LONG_SIDE pixels."""
    ratio = LONG_SIDE / max(image.shape[:2])
    size = max(1, round(image.shape[1] * ratio)), max(1, round(image.shape[0] * ratio))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if ratio < 1 else cv2.INTER_LINEAR)


def write_images(place: str, folder: Path) -> dict[str, list[bytes]]:
    """JPEGs of photos and of their faces, which are also written to ``folder``/photos and ``folder``/crops."""
    if place and Path(place).is_file():
        with zipfile.ZipFile(place) as pack:
            pack.extractall(folder / "source")
        place = str(folder / "source")
    images = [pixels.read(file) for file in photos.find([place])] if place else []
    images = images or [scene.draw_photo(seed).image for seed in range(20)]
    detector, crop = Detector(), model_file.read(find_model()).crop
    bodies: dict[str, list[bytes]] = {"photos": [], "crops": []}
    for image in (scaled(pixels.to_channels(image, 3)) for image in images):
        bodies["photos"].append(jpeg(image))
        faces = detector(image)
        bodies["crops"] += [jpeg(align.cut(image, face.box, face.landmarks, crop, CROP)) for face in faces]
    for name, files in bodies.items():
        (folder / name).mkdir()
        for number, data in enumerate(files):
            (folder / name / f"{number:04d}.jpg").write_bytes(data)
    return bodies


def jpeg(image: Image) -> bytes:
    encoded: bytes = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
    return encoded


def throughput(server: Server, kind: str, bodies: list[bytes], folder: Path, options: Options, table: Table) -> float:
    """Adds the rows of a kind of image, and returns the capacity in requests a second."""
    path = "/v1/analyze?cropped=true" if kind == "crops" else "/v1/analyze"
    own = predict_rate(folder / kind, kind == "crops", options.phase)
    measured("closed", server.port, path, bodies, options.clients, 2.0, 1 << 30)  # warm-up
    busy = server.processor_seconds()
    load, client_busy = measured("closed", server.port, path, bodies, options.clients, options.phase, 1 << 30)
    busy = server.processor_seconds() - busy
    target = f"{TARGET_CROPS:.0f} / s" if kind == "crops" else f"{TARGET_SHARE:.0%} of predict"
    table.add_row(f"{kind}: facelet predict", f"{own:,.0f} / s", "")
    table.add_row(f"{kind}: capacity, {options.clients} clients", f"{load.rate:,.0f} / s", target)
    table.add_row(f"{kind}: share of facelet predict", f"{load.rate / own:.0%}", "")
    cost = 1000 * busy / max(1, load.statuses[200])
    table.add_row(f"{kind}: processor time a request, server", f"{cost:.2f} ms", "")
    table.add_row(
        f"{kind}: processors used by server, load", f"{busy / load.seconds:.2f}, {client_busy / load.seconds:.2f}", ""
    )
    table.add_row(f"{kind}: p50, p99 at capacity", f"{load.quantile(0.5):.1f}, {load.quantile(0.99):.1f} ms", "")
    for share in (0.5, 2.0):
        result, _ = measured("open", server.port, path, bodies, share * load.rate, options.phase)
        answers = ", ".join(f"{status}: {count:,}" for status, count in sorted(result.statuses.items()))
        lost = sum(count for status, count in result.statuses.items() if status not in (200, 429))
        table.add_row(
            f"{kind}: p50, p99 at {share:.0%} of capacity",
            f"{result.quantile(0.5):.1f}, {result.quantile(0.99):.1f} ms",
            "",
        )
        table.add_row(f"{kind}: statuses at {share:.0%}, lost", f"{answers}; {lost} lost", "0 lost")
        table.add_row(f"{kind}: load behind its clock at {share:.0%}", f"at most {1000 * result.late:.0f} ms", "")
    return load.rate


def memory(server: Server, bodies: list[bytes], options: Options, table: Table) -> None:
    """Adds the rows on memory: before and after many requests, all of which came after a warm-up."""
    before = server.memory()
    load, _ = measured("closed", server.port, "/v1/analyze", bodies, options.clients, 3600.0, options.requests)
    grown = server.memory() - before
    table.add_row(f"memory before {load.statuses[200]:,} photos", f"{before:.0f} MB", "")
    table.add_row("memory after", f"{before + grown:.0f} MB ({grown:+.1f})", f"at most +{TARGET_GROWTH_MB:.0f}")


class Options(argparse.Namespace):
    """Command line."""

    minutes: float
    photos: str
    clients: int
    requests: int
    queue: int
    threads: int
    batch_ms: float
    predict: str
    cropped: bool
    seconds: float

    @property
    def phase(self) -> float:
        """Seconds of each of the eight timed phases; the phase that measures memory takes as long as it takes."""
        return max(2.0, 60 * self.minutes / 8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=4.0, help="time of all phases but that of memory")
    parser.add_argument("--photos", default="", help="folder or zip of photos; default: drawn scenes")
    parser.add_argument("--clients", type=int, default=16, help="connections that measure the capacity")
    parser.add_argument("--requests", type=int, default=10_000, help="requests between the two measurements of memory")
    parser.add_argument("--queue", type=int, default=64)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--batch-ms", type=float, default=2.0)
    parser.add_argument("--predict", default="", help=argparse.SUPPRESS)
    parser.add_argument("--cropped", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=0.0, help=argparse.SUPPRESS)
    options = parser.parse_args(namespace=Options())
    if options.predict:
        print(json.dumps(predicted(Path(options.predict), options.cropped, options.seconds)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        bodies = write_images(options.photos, folder)
        server = Server(folder, options)
        title = f"{len(bodies['photos'])} photos, {len(bodies['crops'])} crops; {processors()} processors, {cpu.description()}"
        table = Table("what", "measured", "target", box=None, title=title)
        try:
            for kind in ("crops", "photos"):
                throughput(server, kind, bodies[kind], folder, options, table)
            if options.requests:
                memory(server, bodies["photos"], options, table)
        finally:
            server.stop()
        Console(width=max(120, Console().width)).print(table)


if __name__ == "__main__":
    main()
