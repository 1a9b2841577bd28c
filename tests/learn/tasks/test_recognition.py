"""What an embedding learns from: the margin, the teacher, and the check that stops a training that learns nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facelet import nets
from facelet.errors import FaceletError
from facelet.learn.data.batches import Batch
from facelet.learn.tasks import recognition
from facelet.learn.tasks.recognition import Margin, RecognitionTask
from facelet.learn.teachers.predictions import Predictions
from facelet.learn.teachers.teacher import CachedTeacher, LiveTeacher
from facelet.losses.embedding import cosine
from facelet.losses.margin import cosface, cosines


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
    with pytest.raises(FaceletError, match="need a teacher that provides an embedding"):
        RecognitionTask(net[1], 64, {"cosine": 1.0}, None, answers)


def test_the_doctor_stops_a_training_that_learns_nothing(net, people, monkeypatch):
    monkeypatch.setattr(recognition, "LOOK", 1)
    monkeypatch.setattr(recognition, "diagnosis", lambda seen, **more: f"at step {seen.step} it is ill")
    objective = RecognitionTask(net[1], 64, {"cosface": 1.0}, Margin("cosface", 5, 0.35, 8.0, 0, 0.001), None)
    with pytest.raises(FaceletError, match="at step 1 it is ill"):
        objective(net[0], batch_of(people))
