"""The step ``embed``: what it minimises, whom it draws, what it is asked, what it refuses; and that it learns people."""

from __future__ import annotations

import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file

from facelet import nets
from facelet.errors import FaceletError
from facelet.faces import load
from facelet.faces.pairset import draw_pairs
from facelet.learn.data.batches import Batch, FaceBatches, Faces
from facelet.learn.engine import checkpoint
from facelet.learn.engine.ema import Ema
from facelet.learn.engine.val_metrics import VerificationMetric
from facelet.learn.tasks import recognition
from facelet.learn.tasks.recognition import Margin, RecognitionTask
from facelet.learn.teachers.predictions import Predictions, answer
from facelet.learn.teachers.teacher import CachedTeacher, LiveTeacher
from facelet.losses.embedding import cosine
from facelet.losses.margin import cosface, cosines
from facelet.nets import FaceNet, NetSpec
from facelet.step import StepResult

NET = {"net": "mobilefacenet", "net_options": {"width": 0.125, "embedding": 64}}


@pytest.fixture(scope="module")
def people():
    return load("toy?faces=300&identities=30&noise=0", size=16)


@pytest.fixture
def embed(step):
    def make(**fields):
        return step("embed", **{**NET, "epochs": 1, **fields})

    return make


@pytest.fixture
def net() -> tuple[FaceNet, NetSpec]:
    torch.manual_seed(0)
    spec = nets.resolve("mobilefacenet", classes=0, size=16, width=0.125, embedding=64)
    return spec.build(), spec


def batch_of(faces, count=16):
    labels = torch.arange(count) % 5
    labels[-1] = -1
    images = torch.from_numpy(np.array(faces.images[:count])).permute(0, 3, 1, 2).float() / 255
    return Batch(images, labels, torch.arange(count), torch.zeros(count, dtype=torch.bool), None)


def test_the_margin_is_over_faces_whose_person_is_known(net, people):
    net, spec = net
    batch = batch_of(people)
    objective = RecognitionTask(spec, 64, {"cosface": 2.0}, Margin("cosface", 5, 0.35, 8.0, 0, 0.001), None)
    found = objective(net, batch)
    assert list(found) == ["cosface"]
    with torch.no_grad():
        near = cosines(net(objective.normalise(batch.faces)), objective.prototypes)
        each = cosface(near, batch.labels, 8.0, 0.35)
    torch.testing.assert_close(found["cosface"], 2 * each[:-1].mean(), rtol=1e-4, atol=1e-4)
    found["cosface"].backward()
    assert objective.prototypes.grad.abs().max() > 0


def test_the_margin_rises_and_a_resumed_training_goes_on_where_it_was(net, people, monkeypatch):
    net, spec = net
    seen = []

    def watched(near, labels, scale, margin):
        seen.append(margin)
        return cosface(near, labels, scale, margin)

    monkeypatch.setitem(recognition.MARGINS, "cosface", (watched, 0.35))
    margin = Margin("cosface", 5, 0.4, 8.0, 4, 0.001)
    first = RecognitionTask(spec, 64, {"cosface": 1.0}, margin, None)
    for _ in range(3):
        first(net, batch_of(people))
    again = RecognitionTask(spec, 64, {"cosface": 1.0}, margin, None)
    again.load_state_dict(first.state_dict())
    for _ in range(3):
        again(net, batch_of(people))
    assert seen == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.4])


def test_a_teacher_is_met_through_a_projector_only_where_lengths_differ(net, people):
    net, spec = net
    torch.manual_seed(1)
    batch = batch_of(people)
    for width in (64, 96):
        told = nets.resolve("mobilefacenet", classes=0, size=16, width=0.125, embedding=width)
        teacher = LiveTeacher(told.build(), told, "fp32")
        objective = RecognitionTask(spec, 64, {"cosine": 3.0, "relational": 1.0, "similarity": 1.0}, None, teacher)
        objective.place(torch.device("cpu"))
        assert sum(p.numel() for p in objective.parameters()) == (0 if width == 64 else 64 * 96)
        found = objective(net.eval(), batch)
        with torch.no_grad():
            mine, theirs = net(objective.normalise(batch.faces)), teacher(batch).embedding
            expected = cosine(objective.projector(mine), theirs).mean()
        torch.testing.assert_close(found["cosine"], 3 * expected, rtol=1e-4, atol=1e-4)
        assert set(found) == {"cosine", "relational", "similarity"}
        assert objective.memory.seen == len(batch.faces)


def test_a_teacher_without_embedding_is_refused(net, people):
    answers = CachedTeacher(Predictions(people.names, logits=np.zeros((len(people), 3), np.float32)))
    with pytest.raises(FaceletError, match="needs a teacher with one"):
        RecognitionTask(net[1], 64, {"cosine": 1.0}, None, answers)


def test_the_doctor_stops_a_training_that_learns_nothing(net, people, monkeypatch):
    monkeypatch.setattr(recognition, "LOOK", 1)
    monkeypatch.setattr(recognition, "diagnosis", lambda seen, **more: f"at step {seen.step} it is ill")
    objective = RecognitionTask(net[1], 64, {"cosface": 1.0}, Margin("cosface", 5, 0.35, 8.0, 0, 0.001), None)
    with pytest.raises(FaceletError, match="at step 1 it is ill"):
        objective(net[0], batch_of(people))


def test_people_are_drawn_evenly_and_unknown_ones_as_often_as_they_are_there(people):
    labels = np.array([0] * 40 + [1] * 10 + [-1] * 50)
    faces = replace(Faces.of_images(people.images[:100]), labels=torch.from_numpy(labels))
    batches = FaceBatches(faces, size=20, seed=0, augment=nothing(), balanced=True)
    drawn = [batch.labels for _ in range(10) for batch in (setattr(batches, "step", 0), *batches)[1:]]
    counts = torch.bincount(torch.cat(drawn) + 1, minlength=3)
    assert counts[0] == 500
    assert 200 < counts[1] < 300
    first = next(iter(batches.start(0, 1)))
    assert {-1} < set(first.labels.tolist())


def nothing():
    from facelet.learn.data.augment import NONE

    return NONE


def test_an_exam_on_pairs_adds_up_over_processes(people):
    pairs = draw_pairs(people.split("val"), 50)
    exam = VerificationMetric(pairs, 3)
    answers = torch.randn(len(exam.faces), 3)
    rows = torch.arange(len(exam.faces))
    whole, halves = exam.blank(torch.device("cpu")), []
    exam.add(whole, rows, answers)
    for part in (rows[::2], rows[1::2]):
        sums = exam.blank(torch.device("cpu"))
        exam.add(sums, part, answers[part])
        halves.append(sums)
    assert exam.grade(whole) == exam.grade(sum(halves))
    people_alone = torch.nn.functional.one_hot(torch.from_numpy(people.split("val").identities)).float()
    exam = VerificationMetric(pairs, people_alone.shape[1])
    sums = exam.blank(torch.device("cpu"))
    exam.add(sums, rows, people_alone)
    assert exam.grade(sums) == (0.0, 1.0)


def test_a_fresh_net_learns_people_it_is_then_asked_about_others(embed, job, people):
    made = embed(epochs=8, lr=0.004, augment=0.3, batch=30, margin=0.2).run(job(faces=people))
    net, spec = nets.load(made.net)
    assert spec.classes == 0
    assert net(torch.zeros(2, 1, 16, 16)).shape == (2, 64)
    rows = (job().folder / "curves.csv").read_text().splitlines()
    assert float(rows[-1].split(",")[-1]) > 0.6
    assert any("cosface of 21 people: margin 0.2 after" in note for note in made.notes)


def test_faces_of_nobody_known_are_taught_too(embed, job, people, tmp_path):
    told = nets.resolve("mobilefacenet", classes=0, size=16, width=0.125, embedding=96)
    nets.save(told.build(), told, tmp_path / "teacher.safetensors")
    some = people.identities.copy()
    some[(people.splits == 0) & (np.arange(len(people)) % 2 == 0)] = -1
    faces = replace(people, identities=some)
    both = embed(losses={"cosface": 1.0, "cosine": 1.0}, **{"from": "teacher"}, balance="sampler")
    made = both.run(job(faces=faces, models={"teacher": StepResult(net=tmp_path / "teacher.safetensors")}))
    assert "taught by teacher" in made.notes[-1]
    assert len(both.training_faces(faces)) == int((people.splits == 0).sum())
    assert len(embed().training_faces(faces)) == int(((people.splits == 0) & (some >= 0)).sum())


def test_kept_answers_teach_and_tell_how_good_they_are(embed, job, people, tmp_path):
    who = np.eye(30, dtype=np.float16)[people.identities]
    names = np.char.add("toys/", people.names)  # as a cache that was made of several sources has them
    Predictions(names, embeddings=who).save(tmp_path / "teacher.npz")
    step = embed(losses={"cosine": 1.0}, answers=tmp_path / "teacher.npz")
    assert "taught by teacher.npz" in step.plan(people, {}).text
    made = step.run(job(faces=people))
    assert "right on 100.00 % of the validation pairs" in made.notes[-1]
    Predictions(names[:5], embeddings=who[:5]).save(tmp_path / "few.npz")
    with pytest.raises(FaceletError, match="no answer for"):
        embed(losses={"cosine": 1.0}, answers=tmp_path / "few.npz").plan(people, {})


def test_a_resumed_training_remembers_the_same_answers(embed, job, people, tmp_path, monkeypatch):
    who = np.eye(30, dtype=np.float16)[people.identities]
    Predictions(people.names, embeddings=who).save(tmp_path / "teacher.npz")
    lesson = embed(losses={"similarity": 1.0}, answers=tmp_path / "teacher.npz", epochs=2)
    whole, parts = job("whole", faces=people), job("parts", faces=people)
    lesson.run(whole)
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    monkeypatch.setattr(checkpoint, "COST", 0.0)
    update = Ema.update

    def interrupted(self, step):
        update(self, step)
        if step == 9:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Ema, "update", interrupted)
    with pytest.raises(FaceletError, match="stopped after step 9"):
        lesson.run(parts)
    monkeypatch.setattr(Ema, "update", update)
    lesson.run(parts)
    one, other = (load_file(work.folder / "net.safetensors") for work in (whole, parts))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_asking_an_embedding_net_keeps_its_embeddings(net, people, tmp_path):
    nets.save(net[0], net[1], tmp_path / "net.safetensors")
    kept = answer(tmp_path / "net.safetensors", people.take(np.arange(6)), device="cpu", wish="fp32")
    assert kept.logits is None
    assert kept.embeddings.shape == kept.mirrored_embeddings.shape == (6, 64)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"losses": {"cosfase": 1}}, "did you mean 'cosface'"),
        ({"losses": {"cosface": 1, "arcface": 1}}, "one of cosface and arcface"),
        ({"losses": {"cosface": 0}}, "one of them more than 0"),
        ({"losses": {"cosine": 1}}, "needs a teacher"),
        ({"from": "teacher"}, "needs a loss to teach by"),
        ({"from": "teacher", "answers": "x.npz", "losses": {"cosine": 1}}, "give either from"),
        ({"targets": "votes"}, "targets is about classes"),
        ({"balance": "class-weights"}, "class-weights is about classes"),
        ({"losses": {"cosine": 1}, "from": "teacher", "balance": "sampler"}, "belongs to cosface or arcface"),
        ({"margin": 28.6, "losses": {"arcface": 1}}, "in radians"),
        ({"margin": 1.2}, "a cosine, 0 to 1"),
    ],
)
def test_settings_that_do_not_fit_are_named(embed, fields, said):
    with pytest.raises(ValidationError, match=said):
        embed(**fields)


def test_faces_without_people_are_refused_before_anything_is_spent(embed, people):
    with pytest.raises(FaceletError, match="knows fewer than 3 people"):
        embed().plan(replace(people, identities=None), {})
    with pytest.raises(FaceletError, match="does not say who is on its val faces"):
        embed(losses={"cosine": 1.0}, **{"from": "teacher"}).validation_faces(replace(people, identities=None))
