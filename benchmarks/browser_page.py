"""Compares the page of `facelet web` with Python on photos, and takes its pictures for the documentation.

    python benchmarks/browser_page.py PHOTO_OR_FOLDER...             # parity as decoded to PNG and as the JPEG itself; times
    python benchmarks/browser_page.py PHOTO_OR_FOLDER... --turn 90 180 270 30    # the same of photos that are turned, as PNG
    python benchmarks/browser_page.py --pictures docs/pictures       # screenshots, of the page's own example

Needs Chromium, playwright, pillow and what `facelet web` needs.
"""

from __future__ import annotations

import argparse
import functools
import io
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from facelet import cpu
from facelet.io import pixels
from facelet.io.pixels import cv2
from facelet.runtime.analyzer import Analyzer
from facelet.runtime.detection import wrapped
from facelet.runtime.media import photos
from facelet.runtime.turns import canvas
from facelet.serve.web import site

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
RECORD = """
window.results = [];
document.addEventListener("facelet-result", ({detail}) => window.results.push(JSON.parse(JSON.stringify(
  {...detail, faces: detail.faces.map(({seen, ...face}) => face)}))));
"""
PIXELS, PROBABILITY = 1.0, 0.01
"""Differences from which a face is printed."""
COLOURS = 160
"""Of a screenshot, which keeps its file small."""
READY = "#status[data-kind]:not([data-kind=busy])"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def chromium(*flags: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    executable = next(filter(None, map(shutil.which, BROWSERS)), None) or sys.exit(
        "no Chromium: apt-get install chromium"
    )
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=["--no-sandbox", *flags])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def served() -> Iterator[str]:
    """URL of a site that is built for this run."""
    with tempfile.TemporaryDirectory(prefix="facelet-") as folder:
        site.build(folder)
        server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def wait_until(page: Any, expression: str, seconds: float = 120) -> None:
    """Until a JavaScript expression holds. Playwright's own wait evaluates text in the page, which its policy forbids."""
    end = time.monotonic() + seconds
    while not page.evaluate(f"Boolean({expression})"):
        if time.monotonic() > end:
            raise SystemExit(f"the page did not reach {expression} in {seconds:.0f} s: {page.inner_text('body')[:500]}")
        page.wait_for_timeout(30)


def result_of(page: Any, name: str, data: bytes, kind: str) -> dict[str, Any]:
    before = page.evaluate("results.length")
    page.set_input_files("#file", {"name": name, "mimeType": kind, "buffer": data})
    wait_until(page, f"results.length > {before} || !problem.hidden")
    if page.is_visible("#problem"):
        raise SystemExit(f"{name}: {page.inner_text('#problem')}")
    return page.evaluate("results.at(-1)")


def versions(file: Path, angles: Sequence[float]) -> Iterator[tuple[np.ndarray, dict[str, tuple[bytes, str]]]]:
    """A photo's pixels and its files by kind; with ``angles``, those of the photo turned clockwise by each, with black corners."""
    image = pixels.read(file)
    jpeg = not angles and file.suffix.lower() in (".jpg", ".jpeg")
    for angle in angles or [0]:
        turned = canvas(image, -angle)[0] if angle % 90 else np.rot90(image, -round(angle / 90))
        turned = np.ascontiguousarray(turned)
        kinds = {"PNG": (cv2.imencode(".png", turned[..., ::-1])[1].tobytes(), "image/png")}
        yield turned, kinds | ({"JPEG": (file.read_bytes(), "image/jpeg")} if jpeg else {})


def compare(files: list[Path], angles: Sequence[float]) -> None:
    """Prints the largest differences from Python's defaults, and median times."""
    analyzer = Analyzer()
    apart: dict[str, list[tuple[float, float, float]]] = {"PNG": [], "JPEG": []}
    changed, counts, turned, times, ours = 0, 0, 0, [], []
    with served() as url, chromium() as browser:
        page = browser.new_page()
        page.add_init_script(RECORD)
        page.goto(url)
        page.wait_for_selector(READY, timeout=120_000)
        version = browser.version
        about = page.inner_text("#about").replace("\n", "; ")
        for file, (image, kinds) in ((path, each) for path in files for each in versions(path, angles)):
            start = time.perf_counter()
            faces = analyzer.analyze(image)
            ours.append(1000 * (time.perf_counter() - start))
            for kind, (data, mime) in kinds.items():
                result = result_of(page, file.name, data, mime)
                times.append(result["milliseconds"])
                if len(result["faces"]) != len(faces):
                    changed += 1
                    print(f"{file.name} as {kind}: {len(result['faces'])} faces, Python finds {len(faces)}")
                    continue
                counts += len(faces) if kind == "PNG" else 0
                for one, face in zip(result["faces"], faces, strict=True):
                    expected = [face.probabilities[label] for label in result["labels"]]
                    box = float(np.abs(np.subtract(one["box"], face.box)).max())
                    share = float(np.abs(np.subtract(one["probabilities"], expected)).max())
                    apart[kind].append((box, share, abs(wrapped(one["roll"] - face.roll))))
                    if box > PIXELS or share > PROBABILITY:
                        print(f"{file.name} as {kind}: a box by {box:.2f} px, probabilities by {share:.4f}")
                turned += kind == "PNG" and sum(face.roll != 0 for face in faces)
    print(f"{len(ours)} photos, {counts} faces, {turned} of them turned; {changed} with another number of faces")
    for kind, rows in apart.items():
        if rows:
            boxes, shares, rolls = np.transpose(rows)
            median = f"median {np.median(shares):.4f}"
            print(f"{kind}: boxes within {boxes.max():.3f} px, turns within {rolls.max():.2f} degrees,", end=" ")
            print(
                f"probabilities within {shares.max():.4f} ({median}), {(shares > PROBABILITY).sum()} above {PROBABILITY}"
            )
    for part in ("detector", "crop", "net", "total"):
        print(f"{part}: median {np.median([each[part] for each in times]):.1f} ms")
    print(f"Python, detector and net: median {np.median(ours):.1f} ms a photo")
    print(f"Chromium {version}; {about}\n{cpu.description()}")


def camera(path: Path) -> Path:
    """The example as a webcam's video, Y4M."""
    photo = cv2.resize(pixels.read(site.PAGE / "example.jpg"), (480, 480), interpolation=cv2.INTER_AREA)
    frame = np.full((480, 640, 3), 150, np.uint8)
    frame[:, 80:560] = photo
    body = b"FRAME\n" + cv2.cvtColor(frame, cv2.COLOR_RGB2YUV_I420).tobytes()
    path.write_bytes(b"YUV4MPEG2 W640 H480 F15:1 Ip A1:1 C420jpeg\n" + 20 * body)
    return path


def take(folder: Path) -> None:
    """Writes the page's pictures: first visit, a photo in light and dark, a phone, the webcam, a broken file."""
    folder.mkdir(parents=True, exist_ok=True)
    desk, phone = {"width": 1200, "height": 820}, {"width": 390, "height": 844}

    def shot(page: Any, name: str) -> None:
        page.wait_for_timeout(700)
        picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        picture.quantize(COLOURS).save(folder / f"web-{name}.png", optimize=True)

    with served() as url:
        with chromium() as browser:
            for name, size, scheme, act in (
                ("first", desk, "light", None),
                ("photo", desk, "light", "example"),
                ("photo-dark", desk, "dark", "example"),
                ("phone", phone, "light", "example"),
                ("phone-first", phone, "dark", None),
                ("error", desk, "light", "broken"),
            ):
                page = browser.new_page(viewport=size, color_scheme=scheme)
                page.add_init_script(RECORD)
                page.goto(url)
                page.wait_for_selector(READY, timeout=120_000)
                if act == "example":
                    for count in (1, 2):  # the first run of a session takes longer
                        page.click("#example")
                        wait_until(page, f"results.length == {count}")
                if act == "broken":
                    page.set_input_files("#file", {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": b"no picture"})
                    page.wait_for_selector("#problem:not([hidden])")
                shot(page, name)
                page.close()
        with tempfile.TemporaryDirectory() as place:
            source = camera(Path(place) / "camera.y4m")
            flags = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
            with chromium(*flags, f"--use-file-for-fake-video-capture={source}") as browser:
                page = browser.new_page(viewport=desk, color_scheme="dark")
                page.add_init_script(RECORD)
                page.goto(url)
                page.click("#camera")
                wait_until(page, "results.length >= 12")
                shot(page, "webcam")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="*")
    parser.add_argument("--turn", nargs="+", type=float, default=[], help="degrees by which the photos are turned")
    parser.add_argument("--pictures", type=Path, help="folder for screenshots")
    options = parser.parse_args()
    if options.photos:
        compare(photos.find(options.photos), options.turn)
    if options.pictures:
        take(options.pictures)
    if not (options.photos or options.pictures):
        parser.error("give photos, or --pictures FOLDER")
