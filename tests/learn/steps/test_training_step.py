"""What all steps that train have in common: their plan, and what is refused before it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facelet.errors import FaceletError


def test_the_plan_counts(step, faces):
    plan = step(epochs=3).plan(faces, {})
    net = plan.spec.build()
    assert plan.params == sum(weight.numel() for weight in net.parameters())
    assert plan.macs > 0
    assert plan.seconds is not None
    assert plan.seconds > 0
    assert f"3 epochs of {int((faces.splits == 0).sum())} faces" in plan.text


def test_what_the_faces_lack_is_said(step, job, faces):
    without_votes = faces.take(np.arange(len(faces)))
    without_votes.votes = None
    with pytest.raises(FaceletError, match="and toy has none"):
        step(epochs=1, targets="votes").plan(without_votes, {})
    with pytest.raises(FaceletError, match="no labelled val faces"):
        step(epochs=1).plan(faces.take(np.flatnonzero(faces.splits == 0)), {})
    with pytest.raises(FaceletError, match=f"all labelled training faces of toy are {faces.classes[2]!r}"):
        step(epochs=1).plan(faces.take((faces.labels == 2) | (faces.splits > 0)), {})
    with pytest.raises(FaceletError, match="did you mean 'resnet18'"):
        step(epochs=1, net="resnet81").plan(faces, {})
    with pytest.raises(FaceletError, match="net_options cannot set classes"):
        step(epochs=1, net_options={"classes": 4}).plan(faces, {})
    with pytest.raises(FaceletError, match="2 nodes need a launcher"):
        step(epochs=1).run(job(nodes=2))
    with pytest.raises(FaceletError, match="does not divide by 3 processes"):
        step(epochs=1).run(job(devices=3))
    if not torch.cuda.is_available():
        with pytest.raises(FaceletError, match="finds no GPU"):
            step(epochs=1).run(job(device="cuda"))


def test_balanced_softmax_is_logit_adjustment_with_tau_1(step, job, faces):
    train = step(epochs=1).training_faces(faces)
    counts = np.bincount(train.labels, minlength=len(faces.classes))
    balanced, adjusted = (
        step(epochs=1, balance=balance).hard_options(train) for balance in ("balanced-softmax", "logit-adjustment")
    )
    assert balanced == adjusted
    assert balanced["shares"] == pytest.approx((counts / counts.sum()).tolist())
    assert step(epochs=1, balance="logit-adjustment", tau=1.5).hard_options(train)["tau"] == 1.5
    assert step(epochs=1).hard_options(train)["shares"] is None


def test_an_option_that_came_later_lets_earlier_trainings_resume(step, job, faces):
    """The fingerprint of a training without logit adjustment does not know of ``tau``."""
    plain = step(epochs=1)
    spec = plain.plan(faces, {}).spec
    assert "tau" in plain.model_dump()
    assert plain.fingerprint(job(), spec) == plain.model_copy(update={"tau": 3.0}).fingerprint(job(), spec)
    stronger = [step(epochs=1, balance="logit-adjustment", tau=tau).fingerprint(job(), spec) for tau in (1.0, 2.0)]
    assert len({plain.fingerprint(job(), spec), *stronger}) == 3
