"""Several teachers as one: the mean of their probabilities, of both views if wanted, whoever they are."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facelet import nets
from facelet.errors import FaceletError
from facelet.learn.data.batches import Batch
from facelet.learn.teachers.ensemble import Ensemble, mirrored
from facelet.learn.teachers.predictions import Predictions
from facelet.learn.teachers.teacher import CachedTeacher, LiveTeacher
from facelet.step import StepResult


@pytest.fixture
def teachers(tmp_path):
    """Paths of two nets that differ by their fresh weights."""
    spec = nets.resolve("resnet18", classes=8, size=16, channels=1, width=0.0625, stem_stride=1)
    paths = []
    for seed in range(2):
        torch.manual_seed(seed)
        paths.append(tmp_path / f"teacher{seed}.safetensors")
        nets.save(spec.build(), spec, paths[-1])
    return paths


def placed(teacher):
    teacher.place(torch.device("cpu"))
    return teacher


def batch(n=6):
    torch.manual_seed(5)
    return Batch(torch.rand(n, 1, 16, 16), torch.zeros(n).long(), torch.arange(n), torch.arange(n) % 2 > 0, None)


def test_together_they_answer_with_the_mean_of_their_probabilities(teachers):
    each = [placed(LiveTeacher(*nets.load(path), "fp32")) for path in teachers]
    whole = placed(Ensemble(each))
    views = [batch(), mirrored(batch())]
    for members, mirror in ((each, False), (each, True), (each[:1], True)):
        told = placed(Ensemble(members, mirror))(views[0]).logits
        asked = [member(view).logits for member in members for view in views[: 1 + mirror]]
        expected = sum(one.softmax(1) for one in asked) / len(asked)
        torch.testing.assert_close(told.softmax(1), expected)
        torch.testing.assert_close(told.exp().sum(1), torch.ones(6))
    assert whole.provides == ("logits",)
    assert whole.embedding_width is None


def test_a_single_teacher_keeps_its_embedding(teachers):
    live = placed(LiveTeacher(*nets.load(teachers[0]), "fp32"))
    told = Ensemble([live], mirror=True)(batch())
    torch.testing.assert_close(told.embedding, (live(batch()).embedding + live(mirrored(batch())).embedding) / 2)


def test_kept_answers_of_the_mirror_image_are_the_other_view():
    random = np.random.default_rng(0)
    tables = {name: random.normal(size=(6, 8)).astype(np.float32) for name in ("logits", "mirrored_logits")}
    kept = placed(CachedTeacher(Predictions(np.array(list("abcdef")), **tables)))
    both = Ensemble([kept], mirror=True)
    expected = sum(torch.from_numpy(table).softmax(1) for table in tables.values()) / 2
    torch.testing.assert_close(both(batch()).logits.softmax(1), expected)
    torch.testing.assert_close(both(mirrored(batch())).logits.softmax(1), expected)


def test_who_cannot_answer_together_is_refused(teachers):
    live = LiveTeacher(*nets.load(teachers[0]))
    spec = nets.resolve("resnet18", classes=5, size=16, channels=1, width=0.0625, stem_stride=1)
    with pytest.raises(FaceletError, match="same classes; these have 8, 5"):
        Ensemble([live, LiveTeacher(spec.build(), spec)])
    embeds = nets.resolve("mobilefacenet", classes=0, size=16, width=0.125, embedding=64)
    with pytest.raises(FaceletError, match="one of them has none"):
        Ensemble([live, LiveTeacher(embeds.build(), embeds)])


@pytest.mark.parametrize("cache", [False, True])
def test_a_student_of_two(step, job, faces, teachers, cache):
    names = ["first", "second"]
    lesson = step("distill", epochs=1, losses={"kd": 1.0}, cache=cache, mirror=True, **{"from": names})
    assert lesson.needs() == names
    work = job(models={name: StepResult(net=path) for name, path in zip(names, teachers, strict=True)})
    plan = lesson.plan(faces, {name: nets.load(path)[1] for name, path in zip(names, teachers, strict=True)})
    assert "taught by first and second" in plan.text
    assert "taught by first and second" in lesson.run(work).notes[-1]
    kept = sorted(path.name.split("-")[1] for path in work.folder.parent.glob("answers-*"))
    assert kept == (names if cache else [])
