"""The page's scripts in node: their own tests, and the same answers as the runtime's Python."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from facelet.io import pixels
from facelet.io.pixels import cv2
from facelet.models import bundled, model_file, self_test
from facelet.models.model_file import CropInfo
from facelet.models.onnx_wire import metadata
from facelet.models.session import self_test_feed
from facelet.runtime import align, quality
from facelet.runtime.model import prepared

HERE = Path(__file__).parent
DOCS = HERE.parents[2] / "docs"
NO_POINTS = np.zeros((5, 2), np.float32)


@pytest.fixture(scope="module")
def rng():
    return np.random.default_rng(7)


def test_the_scripts_own_tests():
    if not (node := shutil.which("node")):
        pytest.skip("node is not installed")
    done = subprocess.run([node, "--test", *map(str, HERE.glob("page/*.test.mjs"))], capture_output=True, text=True)
    assert not done.returncode, done.stdout


def smooth(rng, height: int, width: int, channels: int = 3) -> np.ndarray:
    small = rng.integers(0, 256, (max(2, height // 5), max(2, width // 5), channels), np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC).reshape(height, width, channels)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(640, 480), (97, 61), (33, 33), (48, 48)], ids=str)
@pytest.mark.parametrize("kind", ["areaResize", "linearResize"])
def test_resizing_is_opencvs(javascript, rng, kind, size):
    width, height = size
    images = [smooth(rng, height, width), rng.integers(0, 256, (height, width, 3), np.uint8)]
    scale = {"areaResize": (0.31, 0.5, 0.93), "linearResize": (1.01, 1.7, 3.0)}[kind]
    targets = [(max(1, round(width * by)), max(1, round(height * by))) for by in scale]
    script = f"answer(given.images.flatMap(each => given.targets.map(([w, h]) => {kind}(image(each), w, h).data)))"
    answers = iter(javascript({"image": [kind]}, script, {"images": images, "targets": targets}))
    flag = cv2.INTER_AREA if kind == "areaResize" else cv2.INTER_LINEAR
    for image in images:
        for target in targets:
            expected = cv2.resize(image, target, interpolation=flag)
            apart = np.abs(np.reshape(next(answers), expected.shape) - expected.astype(int))
            assert apart.max() <= 1
            assert (apart > 0).mean() < 0.001, "a processor may fuse other steps; with x86 none differs"


def test_grey_is_opencvs(javascript, rng):
    image_ = rng.integers(0, 256, (40, 30, 3), np.uint8)
    answer = javascript({"image": ["toChannels"]}, "answer(toChannels(image(given), 1).data)", image_)
    np.testing.assert_array_equal(answer, pixels.to_channels(image_, 1).ravel())


def test_the_crop_is_the_golden_vectors(javascript, benchmark_script):
    golden = json.loads((DOCS / "crop.json").read_text())
    photo, size = benchmark_script("crop_reference").pattern(), benchmark_script("crop_reference").SIZE
    script = """
answer(given.boxes.map(({box, margin}) => ({...wholeSquare(box, margin),
  first: pixelsOf(image(given.photo), wholeSquare(box, margin)).data.slice(0, 12),
  red: cut(image(given.photo), box, margin, given.size).data.filter((_, at) => at % 3 === 0)})))
"""
    given = {"boxes": golden["boxes"], "photo": photo, "size": size}
    for answer, case in zip(
        javascript({"align": ["wholeSquare", "pixelsOf", "cut"]}, script, given), golden["boxes"], strict=True
    ):
        assert [answer[key] for key in ("left", "top", "side")] == [case[key] for key in ("left", "top", "side")]
        assert answer["first"][: 3 * len(case["first_row"])] == np.ravel(case["first_row"]).tolist()
        np.testing.assert_allclose(answer["red"], np.ravel(case["resized_red"]), atol=1)


@pytest.mark.parametrize("name", ["expression", "expression-tiny"])
def test_the_net_gets_what_it_gets_in_python(javascript, rng, name):
    info = model_file.read(bundled.path_of(name))
    photo = smooth(rng, 300, 400)
    boxes = [(100.3, 50.7, 90.2, 120.9), (-20.0, -30.5, 61.0, 70.0), (350.1, 250.2, 30.0, 41.5)]
    rolls = [0, 137.2, -90]
    script = """
const info = JSON.parse(given.info), photo = image(given.photo);
const faces = given.boxes.map((box, at) => seenOf(cutOf(photo, {box, roll: given.rolls[at]}, info), info));
answer({faces: faces.map(({data}) => data), inputs: prepared(faces, info)});
"""
    given = {"info": info.model_dump_json(), "photo": photo, "boxes": boxes, "rolls": rolls}
    answer = javascript({"model": ["cutOf", "prepared", "seenOf"]}, script, given)
    crop = CropInfo(**info.crop.model_dump())
    crops = [
        align.cut(photo, box, NO_POINTS, crop, info.input.cut_size, roll)
        for box, roll in zip(boxes, rolls, strict=True)
    ]
    inputs = prepared(crops, info.input)
    level = 1 / (255 * min(info.input.std))
    assert np.abs(np.reshape(answer["inputs"], inputs.shape) - inputs).max() <= 1.01 * level


def test_the_quality_is_pythons(javascript, rng):
    """Sharp, blurred, dark and even crops, small and large, from the front and in profile."""
    sharp = rng.integers(0, 256, (96, 96, 3), np.uint8)
    crops = [sharp, cv2.GaussianBlur(sharp, (9, 9), 0), sharp // 8, np.full_like(sharp, 120), smooth(rng, 40, 40)]
    frontal = [(30, 40), (66, 41), (47, 60), (35, 75), (60, 76)]
    faces = [
        (crop, side, [*frontal[:2], nose]) for crop in crops for side in (20, 90.5) for nose in ((47, 60), (70, 58))
    ]
    script = "answer(given.map(([crop, side, points]) => qualityOf(image(crop), side, points)))"
    answers = javascript({"quality": ["qualityOf"]}, script, faces)
    expected = [quality.measure(crop, side, np.array(points, np.float32)).score for crop, side, points in faces]
    np.testing.assert_allclose(answers, expected, atol=0.003)


def test_metadata_and_golden_faces_are_read_from_a_bundled_file(javascript):
    path = bundled.path_of("expression-tiny")
    info = model_file.read(path)
    script = """
const info = readInfo(given.file), faces = await goldenFaces(info);
answer({metadata: metadata(given.file), inputs: prepared(faces, info),
  right: deviation(Float32Array.from(info.selftest.outputs.flat()), info.selftest.outputs)});
"""
    names = {"protobuf": ["metadata"], "model": ["readInfo", "goldenFaces", "prepared", "deviation"]}
    answer = javascript(names, script, {"file": path.read_bytes()})
    assert answer["metadata"] == metadata(path.read_bytes())
    assert answer["right"] < 1e-6
    feed = self_test_feed(self_test.golden_faces(info.selftest, info.input.channels), info)[info.input.name]
    np.testing.assert_allclose(np.reshape(answer["inputs"], feed.shape), feed, atol=1e-5)


def test_the_detectors_file_is_made_fit_for_onnx_runtime_without_other_changes(javascript, yunet):
    import onnx
    import onnxruntime

    fit = bytes(
        javascript({"protobuf": ["forOnnxRuntime"]}, "answer(forOnnxRuntime(given.file))", {"file": yunet.read_bytes()})
    )
    before, after = onnx.load_from_string(yunet.read_bytes()), onnx.load_from_string(fit)
    assert before.graph.initializer == after.graph.initializer
    for old, new in zip(before.graph.node, after.graph.node, strict=True):
        if old != new:
            assert [(kept.name, kept.i) for kept in new.attribute] == [("block_size", 0), ("axis", 0)]
    session = onnxruntime.InferenceSession(fit, providers=["CPUExecutionProvider"])
    assert session.run(None, {"input": np.zeros((1, 3, 224, 320), np.float32)})[0].shape == (1, 28 * 40, 1)
