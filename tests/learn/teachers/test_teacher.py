from __future__ import annotations

import torch

from facelet import nets
from facelet.learn.data.batches import Batch
from facelet.learn.teachers.predictions import answer
from facelet.learn.teachers.teacher import CachedTeacher, LiveTeacher


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
