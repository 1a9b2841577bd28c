"""Answers: kept, aligned by name and class, refused with a reason when they are those of other faces."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from facelet import nets
from facelet.errors import FaceletError
from facelet.learn.teachers.predictions import Predictions, answer, digest


def made(faces, **fields):
    rng = np.random.default_rng(0)
    chosen = {
        "names": faces.names,
        "logits": rng.normal(size=(len(faces), len(faces.classes))).astype(np.float32),
        "embeddings": rng.normal(size=(len(faces), 5)).astype(np.float16),
        "classes": faces.classes,
        "protocol": faces.protocol.split_hash,
        "teacher": "abc",
    }
    return Predictions(**{**chosen, **fields})


def test_saved_and_loaded_they_are_the_same(faces, tmp_path):
    answers = made(faces)
    answers.save(tmp_path / "answers.npz")
    found = Predictions.load(tmp_path / "answers.npz")
    for name in ("names", "logits", "embeddings"):
        assert np.array_equal(getattr(found, name), getattr(answers, name))
    assert (found.classes, found.protocol, found.teacher) == (answers.classes, answers.protocol, "abc")
    assert found.mirrored_logits is None


def test_rows_follow_the_faces_and_columns_their_classes(faces):
    answers = made(faces)
    order = np.random.default_rng(1).permutation(len(faces))[:50]
    some = faces.take(order)
    turned = some.take(np.arange(50))
    turned.classes = tuple(reversed(faces.classes))
    aligned = answers.aligned(turned, answers.protocol)
    assert np.array_equal(aligned.logits, answers.logits[order][:, ::-1])
    assert np.array_equal(aligned.embeddings, answers.embeddings[order])
    assert aligned.classes == turned.classes


def test_what_does_not_belong_is_refused(faces):
    with pytest.raises(FaceletError, match="belong to protocol"):
        made(faces).aligned(faces, "0123")
    assert made(faces, protocol="").aligned(faces, "0123").logits is not None
    fewer = made(faces.take(np.delete(np.arange(len(faces)), 3)))
    with pytest.raises(FaceletError, match=f"no prediction for 1 of {len(faces)} faces, first '{faces.names[3]}'"):
        fewer.aligned(faces)
    with pytest.raises(FaceletError, match="classes differ from those of the faces"):
        made(faces, classes=("x", *faces.classes[1:])).aligned(faces)
    with pytest.raises(FaceletError, match="7 unnamed logits for 8 classes"):
        made(faces, classes=(), logits=np.zeros((len(faces), 7), np.float32)).aligned(faces)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"logits": None, "embeddings": None}, "neither logits nor embeddings"),
        ({"logits": np.zeros((3, 8), np.float32)}, "logits should be floats"),
        ({"embeddings": np.zeros((160, 4), np.int64)}, "embeddings should be floats"),
        ({"logits": np.full((160, 8), np.nan, np.float32)}, "not finite"),
        ({"classes": ("a", "b")}, "8 logits for 2 classes"),
    ],
)
def test_arrays_that_cannot_be_answers(faces, fields, message):
    with pytest.raises(FaceletError, match=message):
        made(faces, **fields)


def test_files_that_are_not_answers(tmp_path):
    with pytest.raises(FaceletError, match="cannot read"):
        Predictions.load(tmp_path / "missing.npz")
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(FaceletError, match="not a file of predictions"):
        Predictions.load(tmp_path / "text.npz")
    np.savez(tmp_path / "nameless.npz", logits=np.zeros((2, 2), np.float32))
    with pytest.raises(FaceletError, match="not a file of predictions"):
        Predictions.load(tmp_path / "nameless.npz")
    np.savez(tmp_path / "pickled.npz", names=np.array([{"a": 1}], dtype=object))
    with pytest.raises(FaceletError, match="not a file of predictions"):
        Predictions.load(tmp_path / "pickled.npz")


def test_a_file_made_elsewhere(tmp_path, faces):
    meta = json.dumps({"model": "some other", "dim": 4})
    embeddings = np.ones((len(faces), 4), np.float16)
    np.savez(tmp_path / "other.npz", names=faces.names, embeddings=embeddings, meta=np.array(meta))
    assert Predictions.load(tmp_path / "other.npz").aligned(faces, "any").logits is None


def test_a_checkpoint_answers_as_its_net_does(faces, tmp_path):
    torch.manual_seed(0)
    spec = nets.resolve("resnet18", classes=8, size=16, width=0.0625, stem_stride=1, mean=(0.4,), std=(0.2,))
    net = spec.build().eval()
    nets.save(net, spec, tmp_path / "net.safetensors")
    found = answer(tmp_path / "net.safetensors", faces, device="cpu", batch=50, protocol="p")
    pixels = torch.from_numpy(faces.images).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        plain, mirrored = (net((view - 0.4) / 0.2).numpy() for view in (pixels, pixels.flip(3)))
    assert np.allclose(found.logits, plain, atol=0.05)
    assert np.allclose(found.mirrored_logits, mirrored, atol=0.05)
    assert found.embeddings.shape == (len(faces), net.embedding_width)
    assert found.teacher == digest(tmp_path / "net.safetensors")
    assert (found.classes, found.protocol) == (faces.classes, "p")


def test_anything_that_can_be_called_answers(faces):
    found = answer(lambda images: (None, images.reshape(len(images), -1)[:, :3] / 255), faces, mirrored=False)
    assert found.embeddings.shape == (len(faces), 3)
    assert found.mirrored_embeddings is None
    assert found.classes == ()


def test_a_net_without_classes_answers_with_its_embedding_alone(faces, tmp_path):
    spec = nets.resolve("mobilefacenet", classes=0, size=16, width=0.125, embedding=64)
    net = spec.build().eval()
    nets.save(net, spec, tmp_path / "net.safetensors")
    found = answer(tmp_path / "net.safetensors", faces, device="cpu", wish="fp32")
    pixels = torch.from_numpy(faces.images).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        expected = net((pixels - 0.5) / 0.25).numpy()
    assert found.logits is None
    np.testing.assert_allclose(found.embeddings, expected, atol=0.02)
    assert found.classes == ()
