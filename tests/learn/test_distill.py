"""The step ``distill``: every loss, a live teacher, a kept one, and what they must agree on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file

from facelet import nets
from facelet.errors import FaceletError
from facelet.faces import load
from facelet.learn.data.batches import Batch
from facelet.learn.tasks.distillation import DistillationTask
from facelet.learn.tasks.distillation_losses import TERMS, Hint, Pair, standardised
from facelet.learn.teachers.outputs import ModelOutputs
from facelet.learn.teachers.predictions import Predictions, answer
from facelet.learn.teachers.teacher import CachedTeacher, LiveTeacher
from facelet.step import StepResult

PAIR = Pair((4, 6, 8), 8, 5, temperature=4.0, alpha=1.0, beta=2.0, mix=0.0)


@pytest.fixture
def teacher(tmp_path):
    """A Made whose net sees colour faces of another size than the student's."""

    def make(size=24, channels=3, classes=8):
        torch.manual_seed(1)
        mean, std = (0.3,) * channels, (0.3,) * channels
        options = {"width": 0.0625, "stem_stride": 1}
        spec = nets.resolve("resnet18", classes=classes, size=size, channels=channels, mean=mean, std=std, **options)
        nets.save(spec.build(), spec, tmp_path / "teacher.safetensors")
        return StepResult(net=tmp_path / "teacher.safetensors")

    return make


def seen(n=12, logits=8, width=5, seed=0):
    torch.manual_seed(seed)
    stages = [torch.randn(n, channels, side, side) for channels, side in ((4, 4), (6, 3), (8, 2))]
    return ModelOutputs(torch.randn(n, logits), torch.randn(n, width), stages)


@pytest.mark.parametrize("name", list(TERMS))
def test_every_term_is_one_value_a_face_with_a_gradient(name):
    student, teacher = seen(width=8), seen(seed=1)
    tensors = [student.logits, student.embedding, *student.stages]
    for tensor in tensors:
        tensor.requires_grad_()
    labels = torch.arange(12) % 8
    hard = torch.nn.functional.cross_entropy(student.logits, labels, reduction="none")
    value = TERMS[name](PAIR)(student, teacher, labels, hard)
    assert value.shape == (12,)
    value.mean().backward()
    assert any(tensor.grad is not None and tensor.grad.abs().max() > 0 for tensor in tensors)


def test_dkd_leaves_faces_without_label_out():
    labels = torch.tensor([0, -1, 2] * 4)
    value = TERMS["dkd"](PAIR)(seen(width=8), seen(seed=1), labels, torch.zeros(12))
    assert (value[labels < 0] == 0).all()
    assert (value[labels >= 0] > 0).all()


def test_hint_measures_what_is_not_known():
    teacher = seen(n=4000, seed=1)
    knowing = Hint(replace(PAIR, student_embedding=5))
    with torch.no_grad():
        knowing.deep[0].weight.copy_(torch.eye(5))
    same = ModelOutputs(None, teacher.embedding * 3 + 1, teacher.stages)
    other = ModelOutputs(None, torch.randn(4000, 5), teacher.stages)
    assert knowing(same, teacher, torch.zeros(4000), torch.zeros(4000)).mean() < 0.001
    assert knowing(other, teacher, torch.zeros(4000), torch.zeros(4000)).mean().item() == pytest.approx(2, abs=0.1)


def test_mix_draws_the_middle_towards_the_students_own_depth():
    pair = Pair((4, 6, 8), 8, 5, 4.0, 1.0, 1.0, mix=0.25)
    student, teacher = seen(width=8), seen(seed=1)
    term = Hint(pair)
    value = term(student, teacher, torch.zeros(12), torch.zeros(12))
    deep, taught = term.deep(student.embedding), standardised(teacher.embedding)
    middle = term.middle(student.stages[1].mean((2, 3)))
    target = 0.75 * taught + 0.25 * deep
    expected = 0.5 * ((deep - taught).square().mean(1) + (middle - target).square().mean(1))
    assert torch.allclose(value, expected, atol=1e-5)


def test_features_that_do_not_vary_are_no_noise():
    feature = torch.cat([torch.randn(100, 3), torch.full((100, 1), 7.0) + 1e-7 * torch.randn(100, 1)], 1)
    scaled = standardised(feature)
    assert scaled[:, 3].abs().max() < 1e-3
    assert scaled[:, :3].std(0).tolist() == pytest.approx([1, 1, 1], abs=0.02)
    assert standardised(torch.zeros(5, 3)).abs().max() == 0


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


def test_a_kept_teacher_says_what_the_live_one_does(faces, teacher):
    train = faces.split("train")
    path = teacher(size=16, channels=1).net
    kept = CachedTeacher(answer(path, train, device="cpu"))
    live = LiveTeacher(*nets.load(path))
    for each in (kept, live):
        each.place(torch.device("cpu"))
    rows = torch.tensor([5, 0, 9, 5])
    mirrored = torch.tensor([False, True, True, True])
    pixels = torch.from_numpy(train.images)[rows].permute(0, 3, 1, 2) / 255
    pixels = torch.where(mirrored[:, None, None, None], pixels.flip(3), pixels)
    batch = Batch(pixels, torch.zeros(4).long(), rows, mirrored, None)
    assert torch.allclose(kept(batch).logits, live(batch).logits, atol=0.05)
    assert torch.allclose(kept(batch).embedding, live(batch).embedding, atol=0.05)
    assert kept(batch).stages is None
    assert not live(batch).logits.requires_grad


def test_the_cache_asks_the_teacher_once(step, job, teacher, monkeypatch):
    work = job(models={"teacher": teacher()})
    lesson = step("distill", cache=True, losses={"kd": 1.0, "hint": 1.0}, epochs=1, **{"from": "teacher"})
    lesson.run(work)
    (work.folder / "net.safetensors").unlink()
    monkeypatch.setattr(
        "facelet.learn.teachers.from_job.answer", lambda *_, **__: pytest.fail("the teacher is asked again")
    )
    lesson.run(work)


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
    with pytest.raises(FaceletError, match="no answer for 1 of"):
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
        with pytest.raises(ValueError, match="answers names each teacher once"):
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


def test_the_teacher_answers_in_the_precision_asked_for(step, job, faces, teacher, monkeypatch):
    monkeypatch.setattr("facelet.learn.device.precision.cpu_has_bf16", lambda: True)
    made = teacher()
    for chosen, run, expected in (("auto", "bf16", True), ("fp32", "bf16", False), ("auto", "fp32", False)):
        work = job(models={"teacher": made}, precision=run)
        lesson = step("distill", epochs=1, **{"from": "teacher", "precision": chosen})
        live = lesson.teacher_for(faces.split("train"), work)
        live.place(torch.device("cpu"))
        assert live.net.bf16 is expected
    answers = [answer(made.net, faces.split("train"), device="cpu", wish=wish).logits for wish in ("fp32", "bf16")]
    assert not np.array_equal(*answers)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "either from"),
        ({"from": "teacher", "answers": "a.npz"}, "either from"),
        ({"answers": "a.npz", "cache": True}, "kept already"),
        ({"from": "teacher", "losses": {"kdd": 1}}, "did you mean 'kd'"),
        ({"from": "teacher", "losses": {"kd": -1}}, "0 or more"),
        ({"from": "teacher", "losses": {"kd": 0}}, "more than 0"),
        ({"from": "teacher", "cache": True, "losses": {"attention": 1}}, "compares maps"),
    ],
)
def test_fields_that_cannot_be_meant(step, fields, message):
    with pytest.raises(ValidationError, match=message):
        step("distill", epochs=1, **fields)


def test_a_teacher_without_classes_has_no_logits_to_give():
    spec = nets.resolve("mobilefacenet", classes=0, size=16, width=0.125, embedding=64)
    live = LiveTeacher(spec.build(), spec, "fp32")
    live.place(torch.device("cpu"))
    rows = torch.arange(3)
    told = live(Batch(torch.rand(3, 1, 16, 16), rows, rows, rows > 5, None))
    assert told.logits is None
    assert told.embedding.shape == (3, 64)
    pair = Pair((8, 8), 8, live.embedding_width, temperature=4.0, alpha=1.0, beta=1.0, mix=0.0)
    assert "hint" in DistillationTask(spec, live, {"hint": 1.0}, pair).terms
    with pytest.raises(FaceletError, match="needs the teacher's logits, and it gives only embedding and stages"):
        DistillationTask(spec, live, {"kd": 1.0}, pair)
