"""The sample programs predict what Facelet predicts, on a drawn face at the photo's border and inside it."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from facelet.faces.cartoon.scene import draw_photo
from facelet.models import bundled
from facelet.runtime.align import cut
from facelet.runtime.model import Model

EXAMPLES = Path(__file__).parents[2] / "examples"
ALLOWED = 0.02
"""Difference of a probability: resizing differs by one grey level, and int8 by one step."""
BOXES = [(60.5, 40.25, 120.0, 150.0), (-20.0, 130.0, 90.0, 80.0), (100.0, 60.0, 30.0, 41.0)]


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    image = draw_photo(seed=3, faces=1, height=320).image
    path = tmp_path_factory.mktemp("samples") / "photo.ppm"
    height, width = image.shape[:2]
    path.write_bytes(f"P6\n{width} {height}\n255\n".encode() + np.ascontiguousarray(image).tobytes())
    return image, path


def same(command: list[str], photo, name: str) -> None:
    image, path = photo
    model = Model.load(name, threads=1)
    for box in BOXES:
        words = [*command, str(bundled.found(name)), str(path), *map(str, box)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout)
        face = cut(image, box, np.zeros((5, 2), np.float32), model.info.crop, model.info.input.cut_size)
        expected = model.probabilities([face])[0]
        actual = [answer["probabilities"][label] for label in model.labels]
        np.testing.assert_allclose(actual, expected, atol=ALLOWED)
        assert answer["label"] == model.labels[int(np.argmax(actual))]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["expression", "expression-tiny-fp32"])
def test_python(name, photo):
    same([sys.executable, str(EXAMPLES / "python" / "predict.py")], photo, name)


def test_python_refuses_another_alignment(photo):
    words = [sys.executable, str(EXAMPLES / "python" / "predict.py"), str(bundled.found("identity")), str(photo[1])]
    done = subprocess.run([*words, "1", "1", "9", "9"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("this model aligns faces by five-points")


@pytest.mark.slow
def test_node(photo):
    modules = os.environ.get("FACELET_NODE_MODULES", EXAMPLES / "node" / "node_modules")
    if not shutil.which("node") or not (Path(modules) / "onnxruntime-node").is_dir():
        pytest.skip("needs node, and npm ci --ignore-scripts in examples/node (or FACELET_NODE_MODULES)")
    place = Path(photo[1]).parent / "node"
    shutil.copytree(EXAMPLES / "node", place, ignore=shutil.ignore_patterns("node_modules"))
    (place / "node_modules").symlink_to(Path(modules).resolve())
    same(["node", str(place / "predict.mjs")], photo, "expression")


@pytest.mark.slow
def test_cpp(photo, tmp_path):
    if not shutil.which("cmake") or importlib.util.find_spec("openvino") is None:
        pytest.skip("needs cmake, and OpenVINO's pip package")
    from openvino import utils

    build = ["cmake", "-S", str(EXAMPLES / "cpp"), "-B", str(tmp_path), f"-DOpenVINO_DIR={utils.get_cmake_path()}"]
    made = subprocess.run(build, capture_output=True, text=True, check=False)
    if "nlohmann_json" in made.stderr:
        pytest.skip("needs nlohmann-json3-dev")
    assert made.returncode == 0, made.stderr
    made = subprocess.run(["cmake", "--build", str(tmp_path)], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    same([str(tmp_path / "predict")], photo, "expression")
