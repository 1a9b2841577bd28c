"""A model at work, held against plain numpy on tiny models."""

from __future__ import annotations

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import facelet
from facelet.errors import FaceletError
from facelet.io import pixels
from facelet.models import model_file, session
from facelet.models.model_file import InputInfo
from facelet.runtime.model import Model, prepared


@pytest.fixture
def colour(tmp_path, make_info, make_model):
    info = make_info(
        labels=("a", "b", "c"),
        input=InputInfo(size=24, channels=3, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.25)),
        temperature=1.7,
    )
    weights = np.random.default_rng(1).normal(size=(3, 3))
    return Model.load(make_model(tmp_path / "colour.onnx", info, weights), threads=1), weights


def crops(count=7, shape=(24, 24, 3), seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)


def test_logits_against_plain_numpy(colour):
    model, weights = colour
    images = crops()
    mean, std = np.array([0.4, 0.5, 0.6]), np.array([0.2, 0.3, 0.25])
    expected = ((images.astype(float) / 255 - mean) / std).mean(axis=(1, 2)) @ weights
    np.testing.assert_allclose(model.logits(images), expected, atol=1e-5)
    logits = expected / 1.7
    softmax = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(model.probabilities(images), softmax, atol=1e-6)


def test_chunks_lists_and_arrays_answer_alike(colour):
    model, _ = colour
    images = crops(11)
    whole = model.logits(images)
    for batch in (1, 4, 11, 100):
        np.testing.assert_allclose(model.logits(images, batch), whole, atol=1e-6)
    np.testing.assert_allclose(model.logits(list(images)), whole, atol=1e-6)


def test_prepared_is_layout_and_normalisation():
    info = InputInfo(size=24, channels=3, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.25))
    images = crops(3)
    expected = (images.astype(np.float32) / 255 - np.float32(info.mean)) / np.float32(info.std)
    made = prepared(images, info)
    assert made.dtype == np.float32
    assert made.flags.c_contiguous
    np.testing.assert_allclose(made, expected.transpose(0, 3, 1, 2), atol=2e-6)


def test_crops_come_by_way_of_the_size_that_the_net_learned_from():
    info = InputInfo(size=24, cut=36, channels=3, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.25))
    small, middle, ready = crops(3, (18, 18, 3)), crops(3, (36, 36, 3)), crops(3)
    plain = info.model_copy(update={"cut": 0})
    for images in (middle, ready):
        np.testing.assert_array_equal(prepared(images, info), prepared(images, plain))
    larger = np.stack([pixels.resize(face, 36) for face in small])
    np.testing.assert_array_equal(prepared(small, info), prepared(larger, plain))
    assert not np.array_equal(prepared(small, info), prepared(small, plain))


def test_any_size_and_colour(tiny):
    model = Model.load(tiny)
    flat = [np.full(shape, 200, np.uint8) for shape in ((24, 24), (24, 24, 1), (9, 31, 3), (300, 200, 3), (1, 1))]
    logits = model.logits(flat)
    np.testing.assert_allclose(logits, np.tile(logits[0], (5, 1)), atol=1e-5)
    assert model.labels == ("dark", "bright")
    assert model.probabilities(flat)[0, 1] > 0.9


def test_no_faces(tiny):
    model = Model.load(tiny)
    for none in ([], crops(0)):
        assert model.logits(none).shape == (0, 2)
        assert model.probabilities(none).shape == (0, 2)


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((24, 24, 4), np.uint8), np.zeros((24, 24, 3)), np.zeros((0, 24, 3), np.uint8), np.zeros(24, np.uint8)],
)
def test_what_is_no_crop_is_named(tiny, wrong):
    with pytest.raises(FaceletError, match=r"crop 1 is .* expected uint8 of \(height, width, 1\)"):
        Model.load(tiny).logits([np.zeros((24, 24, 1), np.uint8), wrong])


def test_nan_is_not_an_answer(tmp_path, make_model):
    model = Model.load(make_model(tmp_path / "nan.onnx", weights=np.array([[np.nan, 1.0]])))
    with pytest.raises(FaceletError, match=r"nan.onnx returned NaN"):
        model.logits(crops(1))


def test_load_refuses(tmp_path, tiny):
    with pytest.raises(FaceletError, match="no model file"):
        Model.load(tmp_path / "none.onnx")
    for threads in (-1, 5000):
        with pytest.raises(FaceletError, match=rf"threads: {threads}; expected 1 to \d+, or 0 for all"):
            Model.load(tiny, threads=threads)
        with pytest.raises(FaceletError, match="expected 1 to"):
            session.open_session(tiny, threads)


def test_many_threads_one_model(colour):
    model, _ = colour
    images = [crops(5, seed=seed) for seed in range(16)]
    alone = [model.logits(some) for some in images]
    with ThreadPoolExecutor(4) as pool:
        for one, other in zip(alone, pool.map(model.logits, images), strict=True):
            np.testing.assert_array_equal(one, other)


def test_embeddings_are_logits_at_length_1(tmp_path, make_identity):
    model = Model.load(make_identity(tmp_path / "id.onnx"))
    images = crops(5, (24, 24, 1))
    raw, made = model.logits(images), model.embeddings(images)
    assert made.dtype == np.float32
    assert raw.shape == made.shape == (5, 64)
    for vector, one in zip(raw, made, strict=True):
        np.testing.assert_allclose(one, vector / np.sqrt(sum(float(value) ** 2 for value in vector)), atol=1e-6)
    assert model.embeddings([]).shape == (0, 64)


def test_an_embedding_of_length_0_is_no_answer(tmp_path, make_model, make_info):
    info = make_info(task="identity", labels=())
    model = Model.load(make_model(tmp_path / "zero.onnx", info, np.zeros((1, 4))))
    with pytest.raises(FaceletError, match=r"zero.onnx returned an embedding of length 0"):
        model.embeddings(crops(2))


def test_the_hash_is_the_files(tiny):
    assert Model.load(tiny).sha256 == hashlib.sha256(tiny.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("shape", "count", "says"),
    [((1, 64), 2, "failed on a batch of 2 faces"), ((-1, 2), 1, r"returned .* \(32, 2\) for 1 faces")],
)
def test_a_graph_that_answers_for_one_face_only(tmp_path, make_info, shape, count, says):
    """A Reshape to a fixed shape passes every check of the file."""
    info = make_info(input=InputInfo(size=8, channels=1, mean=(0.5,), std=(0.25,)))
    graph = helper.make_graph(
        [
            helper.make_node("Reshape", ["images", "shape"], ["flat"]),
            helper.make_node("Slice", ["flat", "a", "b", "c"], ["y"]),
        ],
        "g",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 1, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])],
        [numpy_helper.from_array(np.array(v), k) for k, v in (("shape", shape), ("a", [0]), ("b", [2]), ("c", [1]))],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    model_file.write(made, info, tmp_path / "m.onnx")
    with pytest.raises(FaceletError, match=rf"m\.onnx .*{says}"):
        Model.load(tmp_path / "m.onnx").logits(crops(count, (8, 8, 1)))


def test_onnx_runtime_prints_nothing_of_a_broken_model(tiny, monkeypatch, capfd):
    """It would retry on its fallback and print so to standard output, where only answers belong."""

    def fail(*_):
        raise RuntimeError("a graph that no provider takes")

    monkeypatch.setattr(onnxruntime.InferenceSession, "_create_inference_session", fail)
    with pytest.raises(FaceletError, match="not a working ONNX file: a graph that no provider takes"):
        Model.load(tiny)
    assert capfd.readouterr().out == ""


def test_no_session_of_the_package_falls_back():
    sources = Path(facelet.__file__).parent.rglob("*.py")
    calls = [
        call
        for file in sources
        for call in re.findall(r"InferenceSession\([^)]*\)[^)]*\)?", file.read_text())
        if "providers" in call
    ]
    assert len(calls) >= 5
    assert [call for call in calls if "enable_fallback=0" not in call] == []
