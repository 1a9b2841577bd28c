from __future__ import annotations

import numpy as np
import pytest
import torch

from facelet.learn.teachers.predictions import answer


@pytest.mark.slow
def test_the_cache_asks_the_teacher_once(step, job, teacher, monkeypatch):
    work = job(models={"teacher": teacher()})
    lesson = step("distill", cache=True, losses={"kd": 1.0, "hint": 1.0}, epochs=1, **{"from": "teacher"})
    lesson.run(work)
    (work.folder / "net.safetensors").unlink()
    monkeypatch.setattr(
        "facelet.learn.teachers.from_job.answer", lambda *_, **__: pytest.fail("the teacher is asked again")
    )
    lesson.run(work)


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
