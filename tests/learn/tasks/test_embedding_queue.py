"""What a teacher said last is remembered, the oldest goes first, and a checkpoint holds it."""

from __future__ import annotations

import torch

from facelet.learn.tasks.embedding_queue import EmbeddingQueue


def test_the_oldest_make_room():
    memory = EmbeddingQueue(2, size=4)
    assert memory.all().shape == (0, 2)
    memory.add(torch.tensor([[3.0, 4.0]]))
    torch.testing.assert_close(memory.all(), torch.tensor([[0.6, 0.8]]))
    given = torch.eye(2).repeat(3, 1)[:5] * 7
    memory.add(given)
    assert memory.all().shape == (4, 2)
    assert memory.seen == 5
    torch.testing.assert_close(memory.all().norm(dim=1), torch.ones(4))
    memory.add(torch.tensor([[-1.0, 0.0]] * 2))
    assert (memory.all()[:, 0] == -1).sum() == 2


def test_a_checkpoint_holds_it():
    memory, other = EmbeddingQueue(3, size=8), EmbeddingQueue(3, size=8)
    memory.add(torch.randn(5, 3))
    other.load_state_dict(memory.state_dict())
    torch.testing.assert_close(other.all(), memory.all())
    assert other.seen == 5
