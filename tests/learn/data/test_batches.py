"""Batches: every face once an epoch, the same for one process and for two, from RAM and from a memory map, at any step."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch

from facelet.errors import FaceletError
from facelet.learn.data import batches as module
from facelet.learn.data.augment import NONE, Augmentation, apply, plain
from facelet.learn.data.batches import FaceBatches, Faces, MappedRows, seed_of


def numbered(n=70, size=8):
    """Faces whose first pixel is their row."""
    images = np.random.default_rng(0).integers(0, 256, (n, size, size, 1), np.uint8)
    images[:, 0, 0, 0] = np.arange(n)
    labels = torch.arange(n) % 3
    votes = torch.nn.functional.one_hot(labels, 3).float()
    return Faces(torch.from_numpy(images), labels, votes)


def make(size=16, augment=None, **options):
    return FaceBatches(numbered(), size=size, seed=5, augment=augment or Augmentation(), **options)


def epoch(batches):
    return list(batches)


def test_an_epoch_shows_every_face_at_most_once_and_epochs_differ():
    batches = make(augment=NONE)
    first, second = (torch.cat([batch.rows for batch in epoch(batches)]) for _ in range(2))
    assert batches.steps_per_epoch == 4
    assert len(first) == 64 == len(set(first.tolist()))
    assert first.tolist() != second.tolist()


def test_rows_labels_votes_and_pixels_belong_together():
    for batch in epoch(make(augment=NONE)):
        assert torch.equal((batch.faces[:, 0, 0, 0] * 255).round().long(), batch.rows)
        assert torch.equal(batch.labels, batch.rows % 3)
        assert torch.equal(batch.votes.argmax(1), batch.labels)
        assert not batch.mirrored.any()


def test_mirrored_says_which_faces_are():
    for batch in epoch(make(augment=Augmentation(flip=0.5, shift=0, scale=0, turn=0, erase=0, gain=0, bias=0))):
        faces = plain(numbered().images[batch.rows])
        expected = torch.where(batch.mirrored[:, None, None, None], faces.flip(3), faces)
        assert torch.allclose(batch.faces, expected, atol=1e-5)
        assert 0 < batch.mirrored.sum() < len(batch.mirrored)


def test_any_step_can_be_the_first(monkeypatch):
    monkeypatch.setattr(module, "AHEAD", 3)
    through = make()
    whole = [batch for _ in range(3) for batch in through]
    for step in (1, 3, 5, 10):
        later = make()
        later.step = step
        for expected, found in zip(whole[step:], later, strict=False):
            assert torch.equal(expected.rows, found.rows)
            assert torch.equal(expected.faces, found.faces)


def test_two_processes_see_what_one_does():
    alone, pair = make(), [make(), make()]
    for rank, batches in enumerate(pair):
        batches.place(torch.device("cpu"), rank, 2)
    for whole, first, second in zip(alone, *pair, strict=True):
        assert torch.equal(whole.faces, torch.cat([first.faces, second.faces]))
        assert torch.equal(whole.rows, torch.cat([first.rows, second.rows]))
    with pytest.raises(FaceletError, match="does not divide by 3 processes"):
        make().place(torch.device("cpu"), 0, 3)


def test_start_gives_whole_batches_and_leaves_the_iteration_alone():
    batches, expected = make(), epoch(make())
    batches.place(torch.device("cpu"), 1, 2)
    batches.step = 2
    found = list(batches.start(2, 3))
    assert [torch.equal(a.faces, b.faces) for a, b in zip(found, expected, strict=False)] == [True] * 3
    assert batches.step == 2


def test_balanced_draws_classes_evenly():
    faces = numbered()
    faces.labels = torch.tensor([0] * 60 + [2] * 10)
    batches = FaceBatches(faces, size=70, seed=0, augment=NONE, balanced=True)
    counts = np.bincount(np.concatenate([batch.labels.numpy() for _ in range(40) for batch in batches]), minlength=3)
    assert counts[1] == 0
    assert counts[0] / counts.sum() == pytest.approx(0.5, abs=0.03)


def test_total_ends_it_within_an_epoch():
    batches = make()
    batches.total = 6
    assert [len(epoch(batches)) for _ in range(3)] == [4, 2, 0]


def test_a_memory_map_gives_the_same_batches_and_pickles_by_name(tmp_path):
    images = numbered().images.numpy()
    path = tmp_path / "faces.raw"
    path.write_bytes(b"head" + images.tobytes())
    mapped = np.memmap(path, np.uint8, "r", 4, images.shape)
    part = mapped[10:]
    rows = MappedRows(part)
    assert torch.equal(rows[torch.tensor([3, 0, 59, 3])], torch.from_numpy(images[10:][[3, 0, 59, 3]]))
    data = pickle.dumps(rows)
    assert len(data) < 1000
    assert torch.equal(pickle.loads(data)[torch.arange(60)], torch.from_numpy(images[10:]))
    ram, disk = numbered(), numbered()
    disk.images = MappedRows(mapped)
    pair = [FaceBatches(each, size=16, seed=1, augment=Augmentation()) for each in (ram, disk)]
    for a, b in zip(*pair, strict=True):
        assert torch.equal(a.faces, b.faces)


def test_a_large_map_stays_on_disk(faces, tmp_path, monkeypatch):
    images = np.memmap(tmp_path / "faces.raw", np.uint8, "w+", shape=faces.images.shape)
    mapped = faces.take(np.arange(len(faces)))
    mapped.images = images
    assert isinstance(Faces.of(mapped).images, torch.Tensor)
    monkeypatch.setattr(module, "MAPPED_SHARE", 0)
    assert isinstance(Faces.of(mapped).images, MappedRows)
    assert isinstance(Faces.of(faces).images, torch.Tensor)


def test_memory_is_asked_for_only_by_maps_and_may_be_unknown(faces, monkeypatch):
    monkeypatch.delattr(module.os, "sysconf")
    assert module.memory() == 8 << 30
    monkeypatch.setattr(module, "memory", lambda: pytest.fail("it is asked"))
    assert isinstance(Faces.of(faces).images, torch.Tensor)


def test_faces_that_are_too_many_for_a_gpu_stay_on_the_cpu(monkeypatch):
    for free, moved in ((10**9, True), (1000, False)):
        found = numbered()
        monkeypatch.setattr(module, "free_memory", lambda device, free=free: free)
        found.to(torch.device("meta"))
        assert (found.images.device.type == "meta") == moved
        assert found.labels.device.type == "meta"


def test_faces_go_to_other_processes_without_shared_memory():
    faces = numbered()
    assert not any(isinstance(value, torch.Tensor) for value in faces.__getstate__().values())
    found = pickle.loads(pickle.dumps(faces))
    assert torch.equal(found.images, faces.images)
    assert torch.equal(found.votes, faces.votes)


def test_fewer_faces_than_a_batch_make_one_batch():
    assert [len(batch.rows) for batch in make(size=128)] == [70]


def test_seeds_differ_and_repeat():
    seeds = {seed_of(a, b) for a in range(20) for b in range(20)}
    assert len(seeds) == 400
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert seed_of(1, 2) == seed_of(1, 2) != seed_of(2, 1)


def test_the_augmentation_is_that_of_its_parameters():
    batch = next(iter(make()))
    generator = torch.Generator().manual_seed(seed_of(5, 1, 0, 0))
    from facelet.learn.data.augment import draw

    params = draw(module.AHEAD * 16, Augmentation(), generator)[:16]
    assert torch.equal(batch.faces, apply(numbered().images[batch.rows], params))
