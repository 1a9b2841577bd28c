"""The step ``distill``: every loss, a live teacher, a kept one, and what they must agree on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file

from facelet import nets
from facelet.errors import FaceletError
from facelet.faces import load
from facelet.learn.data.batches import Batch
from facelet.learn.teachers.predictions import Predictions, answer


@pytest.mark.slow
@pytest.mark.parametrize(
    "losses",
    [{"ce": 0.1, "kd": 0.9}, {"hint": 1.0}, {"dkd": 1.0, "attention": 100.0, "rkd": 0.1, "hint": 1.0}],
)
def test_a_student_learns_from_a_teacher_of_another_size_and_colour(step, job, teacher, losses, faces):
    work = job(models={"teacher": teacher()})
    lesson = step("distill", losses=losses, epochs=1, mix=0.2, **{"from": "teacher"})
    assert lesson.needs() == ["teacher"]
    plan = lesson.plan(faces, {"teacher": nets.load(work.net_of("teacher"))[1]})
    assert "taught by teacher" in plan.text
    made = lesson.run(work)
    assert "taught by teacher" in made.notes[-1]
    assert nets.load(made.net)[1].channels == 1
    assert set(load_file(made.net)) == set(nets.load(made.net)[0].state_dict())


@pytest.mark.slow
def test_what_is_taught_is_learned(step, job):
    """Random labels, and a teacher who knows the true ones: the student ends nearer to the teacher than to the labels."""
    faces = load("toy?faces=400&noise=0.2", size=24)
    made = step(epochs=12, lr=0.01, augment=0.3).run(job("teacher", faces=faces))
    told = answer(made.net, faces.split("train"), device="cpu").logits.argmax(1)
    wrong = faces.take(np.arange(len(faces)))
    wrong.labels = np.random.default_rng(0).integers(0, 8, len(faces))
    wrong.votes = None
    student = step("distill", losses={"kd": 1.0}, epochs=12, lr=0.01, augment=0.3, **{"from": "teacher"})
    learned = student.run(job("student", faces=wrong, models={"teacher": made}))
    says = answer(learned.net, faces.split("train"), device="cpu").logits.argmax(1)
    assert (says == told).mean() > 0.6
    assert (says == wrong.split("train").labels).mean() < 0.35


def test_answers_made_elsewhere_teach(step, job, faces, tmp_path):
    train = faces.split("train")
    rng = np.random.default_rng(0)
    path = tmp_path / "answers.npz"
    Predictions(train.names, embeddings=rng.normal(size=(len(train), 6)).astype(np.float16)).save(path)
    lesson = step("distill", answers=path, losses={"ce": 1.0, "hint": 1.0}, epochs=1)
    assert "taught by answers.npz" in lesson.plan(faces, {}).text
    assert "answers.npz" in lesson.run(job()).notes[-1]
    with pytest.raises(FaceletError, match="'kd' needs the teacher's logits, and it gives only embedding"):
        step("distill", answers=path, losses={"kd": 1.0}, epochs=1).plan(faces, {})
    Predictions(train.names[1:], logits=np.zeros((len(train) - 1, 8), np.float32)).save(path)
    with pytest.raises(FaceletError, match="no prediction for 1 of"):
        step("distill", answers=path, epochs=1).plan(faces, {})


def test_answers_of_several_are_their_mean(step, job, faces, tmp_path):
    train = faces.split("train")
    rng = np.random.default_rng(0)
    given = [rng.normal(size=(len(train), 8)).astype(np.float32) for _ in range(2)]
    paths = [tmp_path / f"{number}.npz" for number in range(2)]
    for path, logits in zip(paths, given, strict=True):
        Predictions(train.names, logits=logits).save(path)
    lesson = step("distill", answers=paths, losses={"kd": 1.0}, epochs=1)
    assert "taught by 0.npz and 1.npz" in lesson.plan(faces, {}).text
    assert "0.npz and 1.npz" in lesson.run(job()).notes[-1]
    told = lesson.teacher_for(train, job("again"))
    told.place(torch.device("cpu"))
    rows = torch.arange(4)
    batch = Batch(torch.zeros(4, 1, 8, 8), torch.zeros(4).long(), rows, torch.zeros(4).bool(), None)
    mean = torch.stack([torch.from_numpy(one[:4]).softmax(1) for one in given]).mean(0)
    assert torch.allclose(told(batch).logits.softmax(1), mean, atol=1e-5)
    for wrong in ([], [paths[0], paths[0]]):
        with pytest.raises(ValueError, match="answers should name at least one teacher, and none twice"):
            step("distill", answers=wrong, epochs=1)


def test_a_teacher_of_other_classes_is_refused(step, faces, teacher):
    _, spec = nets.load(teacher(classes=5).net)
    with pytest.raises(FaceletError, match="teacher of the same 8 classes, this one has 5"):
        step("distill", epochs=1, **{"from": "teacher"}).plan(faces, {"teacher": spec})


def test_faces_without_label_are_taught_too(step, job, faces, teacher):
    some = faces.take(np.arange(len(faces)))
    some.labels = np.where((some.splits == 0) & (np.arange(len(some)) % 3 > 0), -1, some.labels)
    some.votes = None
    lesson = step("distill", epochs=1, losses={"ce": 0.5, "dkd": 1.0}, **{"from": "teacher"})
    assert len(lesson.training_faces(some)) == int((faces.splits == 0).sum())
    lesson.run(job(faces=some, models={"teacher": teacher()}))
    assert (step("distill", epochs=1, balance="sampler", **{"from": "teacher"}).training_faces(some).labels >= 0).all()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "either from"),
        ({"from": "teacher", "answers": "a.npz"}, "either from"),
        ({"answers": "a.npz", "cache": True}, "stored already"),
        ({"from": "teacher", "losses": {"kdd": 1}}, "did you mean 'kd'"),
        ({"from": "teacher", "losses": {"kd": -1}}, "0 or more"),
        ({"from": "teacher", "losses": {"kd": 0}}, "more than 0"),
        ({"from": "teacher", "cache": True, "losses": {"attention": 1}}, "compares maps"),
    ],
)
def test_fields_that_cannot_be_meant(step, fields, message):
    with pytest.raises(ValidationError, match=message):
        step("distill", epochs=1, **fields)
