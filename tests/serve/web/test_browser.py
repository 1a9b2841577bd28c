"""The page in headless Chromium: the same answers as Python, private, offline, honest about itself, and calm about bad input."""

from __future__ import annotations

import io
import json
import re
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from page_helpers import result_of, serving, wait_until
from PIL import Image
from rich.console import Console

from facelet.cli import predict
from facelet.io import pixels
from facelet.io.pixels import cv2
from facelet.models import model_file
from facelet.runtime.analyzer import Analyzer
from facelet.runtime.detection import wrapped
from facelet.runtime.detector import FRAMES, Detector
from facelet.runtime.face import Face
from facelet.serve.web import site

pytestmark = pytest.mark.slow

EXAMPLE = site.PAGE / "example.jpg"
PIXELS, PROBABILITY, DEGREES = 1.0, 0.01, 0.5
"""Largest differences from Python's boxes and landmarks, probabilities, and turns."""


def png(image: np.ndarray, path: Path) -> Path:
    path.write_bytes(cv2.imencode(".png", image[..., ::-1])[1].tobytes())
    return path


def answers(path: Path, model: str = "expression", prior: str = "training", **settings) -> list[Face]:
    """Python's answers, by default with those settings of the detector that `facelet predict` has."""
    return Analyzer(model, Detector(**settings), prior=prior).analyze(path)


def differences(result: dict, path: Path, prior: str = "training", **settings) -> tuple[float, float]:
    """Largest difference of a box's side in pixels and of a probability from Python's; the faces must be as many."""
    faces = answers(path, prior=prior, **settings)
    assert len(result["faces"]) == len(faces), path.name
    apart = [(0.0, 0.0)]
    for ours, face in zip(result["faces"], faces, strict=True):
        boxes = np.abs(np.subtract(ours["box"], face.box)).max()
        expected = [face.probabilities[label] for label in result["labels"]]
        apart.append((float(boxes), float(np.abs(np.subtract(ours["probabilities"], expected)).max())))
        assert ours["warnings"] == list(face.warnings)
        assert abs(wrapped(ours["roll"] - face.roll)) <= DEGREES, path.name
        np.testing.assert_allclose(ours["landmarks"], face.landmarks, atol=PIXELS)
    return max(each[0] for each in apart), max(each[1] for each in apart)


def assert_same(result: dict, path: Path, prior: str = "training", **settings) -> None:
    box, probability = differences(result, path, prior, **settings)
    assert box <= PIXELS, path.name
    assert probability <= PROBABILITY, path.name


@pytest.fixture(autouse=True)
def same_detector(yunet, monkeypatch):
    monkeypatch.setenv("FACELET_YUNET", str(yunet))
    monkeypatch.delenv("FACELET_MODEL", raising=False)


def variants() -> dict[str, np.ndarray]:
    """The example at sizes that shrink, grow, retry and repeat it, and turned; and photos without a face."""
    photo = pixels.read(EXAMPLE)
    face = photo[30:230, 130:330]
    small = cv2.resize(photo, (130, 130), interpolation=cv2.INTER_AREA)
    large = cv2.resize(photo, (1900, 1900), interpolation=cv2.INTER_CUBIC)
    crowd = np.concatenate([photo[:, ::-1], photo, small.repeat(4, 0).repeat(4, 1)[:512, :512]], axis=1)
    return {
        "example": photo,
        "face alone": face,
        "small": small,
        "large": large,
        "crowd": crowd,
        "mosaic": mosaic(photo),
        "tilted by 30": turned(photo, 30),
        "crowd turned by -50": turned(crowd, -50),
        **{f"turned by {angle}": turned(photo, angle) for angle in (-60, 45, 135)},
        **{f"turned by {90 * quarter}": np.rot90(photo, -quarter) for quarter in (1, 2, 3)},
        **{f"none, {name}": image for name, image in without_faces().items()},
    }


def mosaic(photo: np.ndarray) -> np.ndarray:
    """3000 pixels wide: the example a hundred times, with faces of 10 to 45 pixels."""
    canvas = np.full((2100, 3000, 3), 120, np.uint8)
    for row, side in enumerate((50, 60, 75, 90, 110, 130, 150, 180, 200, 200)):
        for column in range(10):
            small = cv2.resize(photo, (side, side), interpolation=cv2.INTER_AREA)
            canvas[10 + 208 * row :, 20 + 297 * column :][:side, :side] = small
    return canvas


def turned(photo: np.ndarray, angle: float) -> np.ndarray:
    """Turned clockwise around its middle, in a square that holds it."""
    height, width = photo.shape[:2]
    side = int(np.hypot(height, width))
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -angle, 1)
    matrix[:, 2] += (side - width) / 2, (side - height) / 2
    return cv2.warpAffine(photo, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)


def without_faces() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    blobs = rng.integers(0, 256, (40, 60, 3), np.uint8)
    return {
        "grey": np.full((300, 500, 3), 90, np.uint8),
        "blobs": cv2.resize(blobs, (1201, 803), interpolation=cv2.INTER_CUBIC),
        "large": cv2.resize(blobs, (2400, 1600), interpolation=cv2.INTER_CUBIC),
    }


@pytest.mark.parametrize("name", variants())
def test_answers_are_pythons_on_variants_of_the_example(shared, tmp_path, name):
    path = png(variants()[name], tmp_path / f"{name}.png")
    result = result_of(shared, path)
    assert_same(result, path)
    assert bool(result["faces"]) == (not name.startswith("none"))
    rolls = [face["roll"] for face in result["faces"]]
    assert any(rolls) == ("turned" in name)
    assert name != "mosaic" or len(rolls) > 60


def test_a_quick_look_is_that_of_a_frame(opened, tmp_path):
    page, _ = opened()
    page.evaluate("document.querySelector('details.settings').open = true")
    path = png(variants()["mosaic"][:, :1700], tmp_path / "mosaic.png")
    plain = result_of(page, path)
    page.evaluate("() => { results.length = 0 }")
    page.check("#quick")
    wait_until(page, "results.length === 1")
    result = page.evaluate("results[0]")
    assert_same(result, path, **FRAMES)
    assert len(result["faces"]) < len(plain["faces"])


def test_a_long_photo_tells_its_progress_and_gives_way_to_the_next(opened, tmp_path):
    page, _ = opened()
    page.evaluate("""() => {
      window.texts = [];
      new MutationObserver(() => texts.push(summary.textContent)).observe(summary, {childList: true});
    }""")
    page.set_input_files("#file", str(png(variants()["mosaic"], tmp_path / "mosaic.png")))
    wait_until(page, r"texts.some(text => /^Analyzing… \d+\u00a0%$/.test(text))")
    page.click("#example")
    wait_until(page, "results.length === 1")
    page.wait_for_timeout(500)
    assert page.evaluate("results.map(({name}) => name)") == ["example.jpg"]
    assert not page.is_visible("#problem")


@pytest.mark.parametrize("prior", ["uniform^0.25", "uniform"])
def test_class_priors_are_pythons(opened, tmp_path, prior):
    page, _ = opened()
    page.evaluate("document.querySelector('details.settings').open = true")
    path = png(pixels.read(EXAMPLE), tmp_path / "example.png")
    plain = result_of(page, path)
    page.evaluate("() => { results.length = 0 }")
    page.select_option("#prior", prior)
    page.wait_for_function("() => results.length === 1")
    result = page.evaluate("results[0]")
    assert_same(result, path, prior)
    assert result["faces"][0]["probabilities"] != plain["faces"][0]["probabilities"]


@pytest.mark.real
def test_answers_are_pythons_on_real_photos(shared, photos_folder, tmp_path):
    faces = 0
    for photo in sorted((*photos_folder.glob("faces/*.jp*g"), *photos_folder.glob("noface/*.jpg")))[::2]:
        path = png(pixels.read(photo), tmp_path / f"{photo.stem}.png")
        result = result_of(shared, path)
        assert_same(result, path)
        faces += len(result["faces"])
    assert faces > 8


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_upright_by_their_exif(shared, tmp_path, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    path = tmp_path / f"{orientation}.jpg"
    with Image.open(EXAMPLE) as photo:
        turned = photo.crop((60, 0, 460, 300))
        back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # PIL's transpositions that undo each orientation
        stored = turned.transpose(Image.Transpose(back[orientation])) if orientation > 1 else turned
        stored.save(path, quality=95, exif=exif)
    result = result_of(shared, path)
    assert len(result["faces"]) == 1
    box, probability = differences(result, path)
    assert box <= PIXELS
    assert probability <= 0.05  # JPEG decoders may differ by a grey level


def test_transparent_pixels_are_white(shared, tmp_path):
    rgba = np.dstack([pixels.read(EXAMPLE), np.full((512, 512), 255, np.uint8)])
    rgba[:, :200, 3] = 0
    rgba[300:, :, 3] = 128
    path = tmp_path / "alpha.png"
    Image.fromarray(rgba).save(path)
    assert_same(result_of(shared, path), path)


def test_the_self_test_passes_and_is_told(shared):
    assert shared.inner_text("#status") == "Ready, self-test passed"
    assert shared.inner_text("#verdict").startswith("Passed.")
    deviation, tolerance = map(
        float, re.search(r"([\d.e-]+) of ([\d.]+) allowed", shared.inner_text("#about")).groups()
    )
    assert 0 < deviation <= tolerance
    assert "WebAssembly" in shared.inner_text("#about")


def tampered(built: Path, folder: Path, names: tuple[str, ...]) -> Path:
    """A copy of the site in which some models' self-tests expect other outputs."""
    shutil.copytree(built, folder)
    for name in names:
        path = folder / "models" / name
        info, model = model_file.read(path), onnx.load(path)
        outputs = tuple(tuple(value + 5 * (-1) ** at for at, value in enumerate(row)) for row in info.selftest.outputs)
        model_file.write(
            model, info.model_copy(update={"selftest": info.selftest.model_copy(update={"outputs": outputs})}), path
        )
    return folder


def test_where_the_int8_file_fails_its_twin_answers_with_a_note(opened, built, tmp_path):
    with serving(tampered(built, tmp_path / "site", ("expression.onnx",))) as server:
        page, _ = opened(server.url)
        assert "using expression-fp32 instead" in page.inner_text("#verdict")
        assert page.inner_text("#status") == "Ready, with expression-fp32"
        path = png(pixels.read(EXAMPLE), tmp_path / "example.png")
        ours = result_of(page, path)["faces"][0]["probabilities"]
        expected = answers(path, "expression-fp32")[0].probabilities
        np.testing.assert_allclose(ours, list(expected.values()), atol=PROBABILITY)


def test_where_both_fail_nothing_is_answered(opened, built, tmp_path):
    with serving(tampered(built, tmp_path / "site", ("expression.onnx", "expression-fp32.onnx"))) as server:
        page, _ = opened(server.url)
        assert page.inner_text("#status") == "Cannot run here"
        page.set_input_files("#file", str(EXAMPLE))
        page.wait_for_timeout(500)
        assert "fails its self-test" in page.inner_text("#problem")
        assert page.evaluate("results.length") == 0


def test_nothing_is_asked_of_another_server_and_nothing_is_sent(opened, served, tmp_path):
    page, requests = opened()
    sent = []
    page.context.on("request", lambda request: sent.append(request.method) if request.method != "GET" else None)
    page.on("websocket", lambda socket: sent.append(socket.url))
    result_of(page, png(pixels.read(EXAMPLE), tmp_path / "photo.png"))
    page.click("#example")
    wait_until(page, "results.length == 2")
    assert len(requests) > 10
    assert [url for url in requests if not url.startswith((served.url, f"blob:{served.url}"))] == []
    assert sent == []
    assert "sends nothing" in page.inner_text("footer")


def test_the_policy_forbids_inline_code_and_is_never_violated(opened, served):
    page, _ = opened()
    errors = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.reload()
    page.wait_for_selector("#status[data-kind=ok]")
    page.click("#example")
    wait_until(page, "results.length == 1")
    assert errors == []
    page.evaluate("""() => {
      const code = document.createElement("script");
      code.textContent = "window.ran = 1";
      document.head.append(code);
    }""")
    assert page.evaluate("window.ran") is None
    blocked = page.evaluate("""fetch("https://example.com/").then(() => "sent", () => "blocked")""")
    assert blocked == "blocked"


def test_it_works_offline_once_loaded(opened, built, tmp_path):
    with serving(built) as server:
        page, _ = opened(server.url)
        page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        wait_until(page, "navigator.serviceWorker.controller !== null")
        url = server.url
    page.goto(url)  # the server is gone
    page.wait_for_selector("#status[data-kind=ok]", timeout=60_000)
    path = png(pixels.read(EXAMPLE), tmp_path / "example.png")
    assert_same(result_of(page, path), path)


def file(name: str, data: bytes, kind: str = "image/jpeg") -> dict:
    return {"name": name, "mimeType": kind, "buffer": data}


def huge_png() -> bytes:
    """The header of a PNG of 30,000 x 30,000 pixels."""
    content = io.BytesIO()
    Image.new("L", (8, 8)).save(content, "PNG")
    return content.getvalue()[:16] + (30000).to_bytes(4, "big") * 2 + content.getvalue()[24:]


JPEG = EXAMPLE.read_bytes()
BROKEN = {
    "empty": (file("a.jpg", b""), "The file is empty."),
    "text": (file("a.jpg", b"no picture at all"), "not a picture that this page reads"),
    "page": (
        file("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg' onload='x()'/>", "image/svg+xml"),
        "not a picture",
    ),
    "cut short": (file("a.jpg", JPEG[: len(JPEG) // 2]), "The JPEG file is cut short"),
    "huge": (file("a.png", huge_png(), "image/png"), "has 900 megapixels; this page reads up to 50"),
    "damaged": (
        file(
            "a.png", b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + b"\0\0\0\x08" * 2 + bytes(9) + b"\0\0\0\0IEND" + bytes(4)
        ),
        "damaged",
    ),
    "heic": (file("a.heic", b"\0\0\0\x18ftypheic" + bytes(50), "image/heic"), "cannot read HEIC"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_gets_one_sentence_and_the_next_photo_works(shared, name):
    given, said = BROKEN[name]
    shared.set_input_files("#file", given)
    shared.wait_for_selector("#problem:not([hidden])")
    assert said in shared.inner_text("#problem")
    assert shared.get_attribute("#problem", "role") == "alert"
    shared.click("#example")
    wait_until(shared, "results.length == 1")
    assert not shared.is_visible("#problem")


def test_a_photo_without_faces_says_so(shared, tmp_path):
    result_of(shared, png(np.full((200, 300, 3), 128, np.uint8), tmp_path / "grey.png"))
    assert "No face found" in shared.inner_text("#summary")
    assert not shared.is_visible("#results")
    assert "No face found" in shared.inner_text("#live")


PUT = """async ([kind, name]) => {
  const bytes = await (await fetch("example.jpg")).blob(), data = new DataTransfer();
  if (name) data.items.add(new File([bytes], name, {type: "image/jpeg"})); else data.setData("text/plain", "words");
  const event = kind === "paste" ? new ClipboardEvent("paste", {clipboardData: data, bubbles: true})
    : new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true});
  document.body.dispatchEvent(event);
}"""


@pytest.mark.parametrize("kind", ["paste", "drop"])
def test_photos_are_taken_by_drop_and_paste(shared, kind):
    shared.evaluate(PUT, [kind, "mine.jpg"])
    wait_until(shared, "results.length == 1")
    assert "mine.jpg" in shared.inner_text("#summary")
    shared.evaluate(PUT, [kind, ""])
    shared.wait_for_selector("#problem:not([hidden])")
    assert "no picture" in shared.inner_text("#problem")


def test_the_crop_and_the_figures_are_shown(shared):
    shared.click("#example")
    wait_until(shared, "results.length == 1")
    result = shared.evaluate("results[0]")
    shown = shared.evaluate(
        "Array.from(document.querySelector('.seen').getContext('2d').getImageData(0, 0, 64, 64).data)"
    )
    assert [value for at, value in enumerate(shown) if at % 4 < 3] == result["faces"][0]["seen"]
    assert shared.inner_text(".expression") == result["faces"][0]["expression"]
    assert len(shared.query_selector_all(".bars tr")) == len(result["labels"])
    for part in ("detector", "net", "total"):
        assert re.fullmatch(r"[\d.]+ m?s", shared.inner_text(f"#time-{part}"))


@pytest.mark.parametrize("quarters", [0, 1])
def test_json_is_that_of_predict(opened, tmp_path, monkeypatch, capsys, quarters):
    path = png(np.rot90(pixels.read(EXAMPLE)[:, 20:], -quarters), tmp_path / "example.png")
    page, _ = opened(permissions=["clipboard-read", "clipboard-write"])
    result_of(page, path)
    page.click("#copy")
    wait_until(page, "copy.textContent == 'Copied'")
    copied = json.loads(page.evaluate("navigator.clipboard.readText()"))
    monkeypatch.chdir(tmp_path)
    predict.command(["example.png"], form="json", console=Console(file=io.StringIO()))
    expected = json.loads(capsys.readouterr().out)
    assert list(copied) == list(expected)
    assert copied["model"] | {"file": ""} == expected["model"] | {"file": ""}
    (ours,), (theirs,) = copied["photos"][0].pop("faces"), expected["photos"][0].pop("faces")
    assert copied["photos"] == expected["photos"]
    assert list(ours) == list(theirs)
    assert list(ours["probabilities"]) == list(theirs["probabilities"])
    assert ours["roll"] == theirs["roll"] == 90 * quarters
    for key, apart in {"box": PIXELS, "landmarks": PIXELS, "score": 0.01, "quality": 0.003}.items():
        np.testing.assert_allclose(ours.pop(key), theirs.pop(key), atol=apart)
    shares = ours.pop("probabilities"), theirs.pop("probabilities")
    np.testing.assert_allclose(*(list(each.values()) for each in shares), atol=PROBABILITY)
    assert ours == theirs


def test_another_model_is_chosen_in_the_settings(opened, tmp_path):
    path = png(pixels.read(EXAMPLE), tmp_path / "example.png")
    page, _ = opened()
    page.click("summary")
    page.select_option("#model", "expression-tiny")
    wait_until(page, "about.textContent.includes('expression-tiny')")
    expected = answers(path, "expression-tiny")[0].probabilities
    np.testing.assert_allclose(
        result_of(page, path)["faces"][0]["probabilities"], list(expected.values()), atol=PROBABILITY
    )


def test_a_keyboard_reaches_everything_and_focus_is_visible(opened):
    page, _ = opened()
    reached = []
    for _ in range(8):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                "document.activeElement.id || document.activeElement.className || document.activeElement.textContent.trim()"
            )
        )
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid" or reached[-1] == "", reached[-1]
    assert {"skip", "brand", "theme", "choose", "camera", "example", "Settings"} <= set(reached)
    page.focus("#example")
    page.keyboard.press("Enter")
    wait_until(page, "results.length == 1")
    assert "face: " in page.inner_text("#live")


def test_every_control_and_picture_has_a_name(shared):
    shared.click("#example")
    wait_until(shared, "results.length == 1")
    shared.click("summary")
    nameless = shared.evaluate("""() => [...document.querySelectorAll("button, input, select, [role=img], a")]
      .filter(each => !(each.textContent.trim() || each.labels?.length || each.getAttribute("aria-label")))
      .map(each => each.outerHTML)""")
    assert nameless == []
    assert shared.get_attribute("#picture", "aria-label").startswith("example.jpg. 1 face: ")


@pytest.mark.parametrize("system", ["light", "dark"])
def test_colours_follow_the_system_and_can_be_chosen(opened, system):
    page, _ = opened(color_scheme=system)
    paper = "getComputedStyle(document.body).backgroundColor"
    shades = {"light": "rgb(250, 249, 245)", "dark": "rgb(17, 18, 21)"}
    assert page.evaluate(paper) == shades[system]
    for chosen in ("light", "dark"):
        page.click("#theme")
        assert page.inner_text("#theme") == f"Colours: {chosen}"
        assert page.evaluate(paper) == shades[chosen]
    page.reload()
    assert page.evaluate(paper) == shades["dark"]


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_the_page_fits_its_window(opened, width):
    page, _ = opened(viewport={"width": width, "height": 800})
    page.click("#example")
    wait_until(page, "results.length == 1")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def video(path: Path, frames: int = 40) -> Path:
    """A Y4M file, 640 x 480, in which the example moves a little to the right."""
    photo = cv2.resize(pixels.read(EXAMPLE), (480, 480), interpolation=cv2.INTER_AREA)
    with path.open("wb") as out:
        out.write(b"YUV4MPEG2 W640 H480 F15:1 Ip A1:1 C420jpeg\n")
        for number in range(frames):
            frame = np.full((480, 640, 3), 120, np.uint8)
            left = 60 + number // 2
            frame[:, left : left + 480] = photo
            out.write(b"FRAME\n" + cv2.cvtColor(frame, cv2.COLOR_RGB2YUV_I420).tobytes())
    return path


def test_the_webcams_faces_are_tracked(chromium, served, tmp_path):
    flags = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    browser = chromium(*flags, f"--use-file-for-fake-video-capture={video(tmp_path / 'camera.y4m')}")
    page = browser.new_page()
    page.add_init_script(
        "results = []; document.addEventListener('facelet-result', ({detail}) => results.push(detail));"
    )
    page.goto(served.url)
    page.click("#example")
    wait_until(page, "results.length == 1")  # the first run takes longer than a track waits for
    page.evaluate("results.length = 0")
    page.click("#camera")
    wait_until(page, "results.filter(({faces}) => faces.length).length >= 6")
    numbers = page.evaluate("results.flatMap(({tracks}) => tracks.map(({number}) => number))")
    assert max(numbers) <= 2  # a second one when the video starts again
    assert page.evaluate("results.at(-1).tracks[0].frames") > 1
    assert re.fullmatch(r"[\d.]+ / s", page.inner_text("#time-total"))
    assert page.inner_text("#camera") == "Stop the webcam"
    page.click("#camera")
    assert page.inner_text("#camera") == "Use the webcam"
    count = page.evaluate("results.length")
    page.wait_for_timeout(600)
    assert page.evaluate("results.length") - count <= 1
    browser.close()


def test_a_denied_or_missing_camera_is_told(shared):
    for name, said in {
        "NotAllowedError": "The camera is blocked",
        "NotFoundError": "No camera was found",
        "NotReadableError": "in use",
    }.items():
        denied = f"navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('x', '{name}'))"
        shared.evaluate(f"() => {{ {denied}; }}")
        shared.click("#camera")
        shared.wait_for_selector("#problem:not([hidden])")
        assert said in shared.inner_text("#problem")
        assert shared.inner_text("#camera") == "Use the webcam"


def test_without_webgpu_the_page_stays_with_webassembly(opened, tmp_path):
    page, _ = opened()
    if page.evaluate("!navigator.gpu"):
        pytest.skip("this Chromium has no WebGPU interface at all")
    if page.evaluate("navigator.gpu.requestAdapter().then(Boolean)"):
        pytest.skip("this Chromium has a WebGPU adapter")
    page.click("summary")
    page.select_option("#engine", "webgpu")
    page.wait_for_selector("#problem:not([hidden])", timeout=60_000)
    assert page.inner_text("#problem") == "This browser has no WebGPU adapter. Using WebAssembly."
    assert page.input_value("#engine") == "wasm"
    path = png(pixels.read(EXAMPLE), tmp_path / "example.png")
    assert_same(result_of(page, path), path)


SOFTWARE = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"]
"""Chromium's WebGPU on the processor."""


def test_webgpu_answers_only_where_it_agrees(chromium, served, tmp_path):
    browser = chromium(*SOFTWARE)
    page = browser.new_page()
    page.goto(served.url)
    if not page.evaluate("navigator.gpu?.requestAdapter().then(Boolean) ?? false"):
        pytest.skip("no WebGPU adapter, not even on the processor")
    page.add_init_script(
        "results = []; document.addEventListener('facelet-result', ({detail}) => results.push(detail));"
    )
    page.goto(served.url)
    page.wait_for_selector("#status[data-kind=ok]", timeout=120_000)
    page.click("summary")
    page.select_option("#engine", "webgpu")
    wait_until(page, "about.textContent.includes('WebGPU') || !problem.hidden")
    agreed = page.input_value("#engine") == "webgpu"
    assert agreed or "Using WebAssembly" in page.inner_text("#problem")
    path = png(pixels.read(EXAMPLE), tmp_path / "example.png")
    page.set_input_files("#file", str(path))
    wait_until(page, "results.length == 1")
    ours = page.evaluate("results[0].faces[0].probabilities")
    np.testing.assert_allclose(ours, list(answers(path)[0].probabilities.values()), atol=PROBABILITY)
    browser.close()
