from __future__ import annotations

import pytest
import torch

from facelet import nets
from facelet.errors import FaceletError
from facelet.learn.data.batches import Batch
from facelet.learn.tasks.distillation import DistillationTask
from facelet.learn.tasks.distillation_losses import Pair
from facelet.learn.teachers.teacher import LiveTeacher


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
