from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from facelet.errors import FaceletError
from facelet.measure.efficiency.parity import check
from facelet.models import model_file
from facelet.models.model_file import InputInfo, ModelInfo

WEIGHT = np.random.default_rng(0).standard_normal((64, 3)).astype(np.float32)
FACES = np.random.default_rng(1).integers(0, 256, (5, 8, 8, 1), np.uint8)


@pytest.fixture
def path(tmp_path):
    """logits = prepared face, flattened, times WEIGHT."""
    info = ModelInfo(labels=("a", "b", "c"), input=InputInfo(size=8, channels=1, mean=(0.3,), std=(0.5,)))
    nodes = [helper.make_node("Flatten", ["images"], ["f"]), helper.make_node("MatMul", ["f", "w"], ["logits"])]
    x = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 1, 8, 8])
    y = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 3])
    graph = helper.make_graph(nodes, "g", [x], [y], [numpy_helper.from_array(WEIGHT, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    model_file.write(model, info, tmp_path / "m.onnx")
    return tmp_path / "m.onnx"


def reference(faces):
    return ((faces.reshape(len(faces), -1) / 255 - 0.3) / 0.5) @ WEIGHT


def test_two_ways_to_the_same_numbers_agree(path):
    assert 0 < check(reference, path, FACES) < 1e-5


def test_every_batch_is_tried_and_faces_repeat_where_they_are_too_few(path):
    seen = []

    def watched(faces):
        seen.append(faces)
        return reference(faces)

    check(watched, path, FACES)
    assert [len(some) for some in seen] == [1, 3, 16]
    np.testing.assert_array_equal(seen[2][5:10], FACES)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda faces: reference(faces) + 2e-2,
        lambda faces: reference(faces / 2),  # another preprocessing
        lambda faces: reference(faces) if len(faces) == 1 else reference(faces)[::-1],
        lambda faces: reference(faces) * np.nan,
    ],
)
def test_a_difference_is_refused(path, wrong):
    with pytest.raises(FaceletError, match=r"m.onnx does not match its net: logits differ by .* on \d+ faces"):
        check(wrong, path, FACES)


def test_large_logits_are_held_to_a_share(path):
    largest = np.abs(reference(FACES)).max()
    assert largest > 1
    assert check(lambda faces: reference(faces) + 0.5e-4 * largest / 3, path, FACES) < 1e-4


def test_other_shapes_and_no_faces_are_refused(path):
    with pytest.raises(FaceletError, match=r"shape \(1, 3\) for 1 faces, its net \(1, 2\)"):
        check(lambda faces: reference(faces)[:, :2], path, FACES)
    with pytest.raises(FaceletError, match="no faces"):
        check(reference, path, FACES[:0])


def test_small_embeddings_are_held_to_their_own_size(path):
    """Logits of a thousandth hardly matter; embeddings are divided by their length."""

    def nearly(faces):
        return reference(faces) * 1e-3 * (1 + 1e-2 * np.arange(3))

    model = onnx.load(path)
    info = model_file.read(path)
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(1e-3 * WEIGHT, "w"))
    model_file.write(model, info, path)
    assert check(nearly, path, FACES, tolerance=1e-3) > 0
    model_file.write(model, info.model_copy(update={"task": "identity", "labels": ()}), path)
    assert check(lambda faces: reference(faces) * 1e-3, path, FACES) < 1e-5
    with pytest.raises(FaceletError, match="does not match its net"):
        check(nearly, path, FACES, tolerance=1e-3)
