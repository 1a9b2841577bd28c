"""For tests of the runtime and of its commands: tiny model files made on the spot, and a photo with faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from facelet.faces.cartoon.golden import golden_faces
from facelet.io import pixels
from facelet.models import model_file, self_test
from facelet.models.model_file import CropInfo, InputInfo, ModelInfo
from facelet.models.session import self_test_feed
from facelet.runtime.detector import Detection


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
    model_file.write(model, with_self_test(model, info), path)
    return path


def with_self_test(model: onnx.ModelProto, info: ModelInfo) -> ModelInfo:
    """``info`` with a self-test of the model's own outputs, where they are numbers."""
    faces = golden_faces(info.input.channels)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    outputs = session.run(None, self_test_feed(faces, info))[0]
    if not np.isfinite(outputs).all():
        return info
    return info.model_copy(update={"selftest": self_test.make(faces, outputs, 0.0, "fp32")})


@pytest.fixture
def tiny(tmp_path) -> Path:
    return tiny_model(tmp_path / "tiny.onnx")


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


def tiny_identity(path: Path, seed: int = 0, **changes) -> Path:
    """An identity model file: a fixed random projection of 24 x 24 grey pixels to 64 numbers; threshold 0.5."""
    fields = {"task": "identity", "labels": (), "threshold": 0.5, "name": "tiny-identity"}
    info = tiny_info(**{**fields, **changes})
    weights = np.random.default_rng(seed).normal(size=(info.input.size**2, 64)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["images"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["embedding"]),
        ],
        "tiny",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 1, info.input.size, info.input.size])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", 64])],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    model_file.write(model, with_self_test(model, info), path)
    return path


def faces_in_a_row(photo: np.ndarray) -> list[Detection]:
    """Finds a face in each square of a row of squares, the first one largest by a hair; none in a black photo."""
    side = photo.shape[0]
    corners = side * np.array([(0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8)], np.float32)
    lefts = range(0, photo.shape[1], side) if photo.any() else ()
    return [
        Detection((float(left), 0.0, float(side), float(side)), 0.9, corners + np.float32((left, 0))) for left in lefts
    ]


class Studio:
    """Takes photos of people, who are patterns of 24 x 24 pixels told apart by a number; each photo has noise of its own."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.folder, self.model, self.taken = folder, model, 0

    def shot(self, *people: int) -> np.ndarray:
        """RGB, the people side by side; black without any."""
        self.taken += 1
        noise = np.random.default_rng(1000 + self.taken)
        looks = [np.random.default_rng(person).integers(40, 216, (24, 24)) for person in people]
        seen = [np.clip(look + noise.normal(0, 20, look.shape), 0, 255) for look in looks] or [np.zeros((24, 24))]
        return np.repeat(np.hstack(seen).astype(np.uint8)[:, :, None], 3, axis=2)

    def photo(self, name: str, *people: int) -> str:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pixels.cv2.imencode(path.suffix, self.shot(*people))[1].tobytes())
        return name


@pytest.fixture
def studio(tmp_path, monkeypatch) -> Studio:
    """In an empty folder, with an identity model and a gallery named by the environment and a detector of its people."""
    folder = tmp_path / "studio"
    folder.mkdir()
    monkeypatch.chdir(folder)
    model = tiny_identity(tmp_path / "identity.onnx")
    monkeypatch.setenv("FACELET_IDENTITY_MODEL", str(model))
    monkeypatch.setenv("FACELET_GALLERY", str(tmp_path / "people.db"))
    for module in ("analyzer", "media.watch"):
        monkeypatch.setattr(f"facelet.runtime.{module}.Detector", lambda file, **settings: faces_in_a_row)
    return Studio(folder, model)


@pytest.fixture
def film(tmp_path):
    """``film(draw)``: a video of ``draw(number)``, RGB, twenty frames at ten a second."""

    def make(draw, frames: int = 20, fps: float = 10, name: str = "film.avi") -> Path:
        path, kind = tmp_path / name, "MJPG" if name.endswith(".avi") else "mp4v"
        first = draw(0)
        size = first.shape[1], first.shape[0]
        writer = pixels.cv2.VideoWriter(str(path), pixels.cv2.VideoWriter_fourcc(*kind), fps, size)
        for number in range(frames):
            writer.write(pixels.cv2.cvtColor(first if number == 0 else draw(number), pixels.cv2.COLOR_RGB2BGR))
        writer.release()
        return path

    return make


@pytest.fixture
def dusk(film):
    """A video of 48-pixel faces: a bright one that turns dark after a second, beside a dark one."""

    def draw(number: int) -> np.ndarray:
        left = 220 if number < 10 else 30
        return np.repeat(np.hstack([np.full((48, 48, 1), shade, np.uint8) for shade in (left, 30)]), 3, axis=2)

    return film(draw)


@pytest.fixture(scope="session")
def make_identity():
    return tiny_identity


@pytest.fixture
def ship(shelf, benchmark_script):
    """reproduce/ship.py, its folder the empty ``shelf``: ``ship(path, name, description="")``, ``ship.named(path, name, out)``."""
    module = benchmark_script("ship")

    def into_shelf(model, name, description=""):
        return module.ship(model, name, description, shelf)

    into_shelf.named = module.named
    return into_shelf
