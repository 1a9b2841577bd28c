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
from facelet.learn.data.batches import FaceBatches, Faces
from facelet.learn.engine import checkpoint
from facelet.learn.engine.ema import Ema
from facelet.learn.teachers.predictions import Predictions, answer
from facelet.step import StepResult

NET = {"net": "mobilefacenet", "net_options": {"width": 0.125, "embedding": 64}}


@pytest.fixture
def embed(step):
    def make(**fields):
        return step("embed", **{**NET, "epochs": 1, **fields})

    return make


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


@pytest.mark.slow
def test_a_fresh_net_learns_people_it_is_then_asked_about_others(embed, job, people):
    made = embed(epochs=8, lr=0.004, augment=0.3, batch=30, margin=0.2).run(job(faces=people))
    net, spec = nets.load(made.net)
    assert spec.classes == 0
    assert net(torch.zeros(2, 1, 16, 16)).shape == (2, 64)
    rows = (job().folder / "curves.csv").read_text().splitlines()
    assert float(rows[-1].split(",")[-1]) > 0.6
    assert any("cosface of 21 people: margin 0.2 after" in note for note in made.notes)


@pytest.mark.slow
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


@pytest.mark.slow
def test_kept_answers_teach_and_tell_how_good_they_are(embed, job, people, tmp_path):
    who = np.eye(30, dtype=np.float16)[people.identities]
    names = np.char.add("toys/", people.names)  # as a cache that was made of several sources has them
    Predictions(names, embeddings=who).save(tmp_path / "teacher.npz")
    step = embed(losses={"cosine": 1.0}, answers=tmp_path / "teacher.npz")
    assert "taught by teacher.npz" in step.plan(people, {}).text
    made = step.run(job(faces=people))
    assert "accuracy on the validation pairs 100.00 %" in made.notes[-1]
    Predictions(names[:5], embeddings=who[:5]).save(tmp_path / "few.npz")
    with pytest.raises(FaceletError, match="no prediction for"):
        embed(losses={"cosine": 1.0}, answers=tmp_path / "few.npz").plan(people, {})


@pytest.mark.slow
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
        ({"losses": {"cosface": 0}}, "at least one more than 0"),
        ({"losses": {"cosine": 1}}, "needs a teacher"),
        ({"from": "teacher"}, "needs at least one of the losses"),
        ({"from": "teacher", "answers": "x.npz", "losses": {"cosine": 1}}, "give either from"),
        ({"targets": "votes"}, "targets cannot be used with embed"),
        ({"balance": "class-weights"}, "class-weights cannot be used with embed"),
        ({"balance": "balanced-softmax"}, "balanced-softmax cannot be used with embed"),
        ({"losses": {"cosine": 1}, "from": "teacher", "balance": "sampler"}, "needs the loss cosface or arcface"),
        ({"margin": 28.6, "losses": {"arcface": 1}}, "in radians"),
        ({"margin": 1.2}, "a cosine, 0 to 1"),
    ],
)
def test_settings_that_do_not_fit_are_named(embed, fields, said):
    with pytest.raises(ValidationError, match=said):
        embed(**fields)


def test_faces_without_people_are_refused_before_anything_is_spent(embed, people):
    with pytest.raises(FaceletError, match="needs faces of at least 3 people"):
        embed().plan(replace(people, identities=None), {})
    with pytest.raises(FaceletError, match="have no identities"):
        embed(losses={"cosine": 1.0}, **{"from": "teacher"}).validation_faces(replace(people, identities=None))
