"""For the runtime's tests: tiny model files made on the spot, YuNet's file where there is one, and a photo with faces."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from facelet import model_file, pixels
from facelet.model_file import CropInfo, InputInfo, ModelInfo

NAME = "face_detection_yunet_2023mar_int8bq.onnx"


def tiny_info(**changes) -> ModelInfo:
    """Two labels told apart by brightness, 24 pixels, grey."""
    fields = {
        "labels": ("dark", "bright"),
        "input": InputInfo(size=24, channels=1, mean=(0.5,), std=(0.25,)),
        "crop": CropInfo(),
        "name": "tiny",
    }
    return ModelInfo(**{**fields, **changes})


def tiny_model(path: Path, info: ModelInfo | None = None, weights: np.ndarray | None = None) -> Path:
    """A model file that answers with the mean of each channel times ``weights`` (C, K); dark and bright by default."""
    info = info or tiny_info()
    channels, size, answers = info.input.channels, info.input.size, len(info.labels) or 4
    if weights is None:
        weights = np.tile(np.linspace(-1, 1, answers, dtype=np.float32), (channels, 1)) / channels
    graph = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", ["images"], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
        ],
        "tiny",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", channels, size, size])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", answers])],
        [numpy_helper.from_array(np.asarray(weights, np.float32), "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    model_file.write(model, info, path)
    return path


@pytest.fixture
def tiny(tmp_path) -> Path:
    return tiny_model(tmp_path / "tiny.onnx")


@pytest.fixture(scope="session")
def yunet() -> Path:
    """YuNet's file, or a skip that says where it was looked for."""
    places = [os.environ.get("FACELET_YUNET", ""), Path(__file__).parents[2] / ".cache" / NAME]
    for place in filter(None, places):
        if Path(place).is_file():
            return Path(place)
    pytest.skip(f"{NAME} is neither FACELET_YUNET nor in .cache")


@pytest.fixture(scope="session")
def photos_folder(real, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    with zipfile.ZipFile(real("photos.zip")) as pack:
        pack.extractall(folder)
    return folder / "photos"


@pytest.fixture(scope="session")
def portrait(photos_folder) -> np.ndarray:
    """RGB, one face."""
    return pixels.read(photos_folder / "faces" / "fr_obama.jpg")


@pytest.fixture(scope="session")
def make_info():
    return tiny_info


@pytest.fixture(scope="session")
def make_model():
    return tiny_model
