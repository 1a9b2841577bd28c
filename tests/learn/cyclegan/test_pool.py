"""The pool of earlier faces."""

from __future__ import annotations

import torch

from facelet.learn.cyclegan.model import Pool


def faces(*values):
    return torch.tensor([float(value) for value in values]).view(-1, 1, 1, 1)


def test_until_it_is_full_faces_pass_and_are_kept():
    pool, generator = Pool(3), torch.Generator().manual_seed(0)
    assert torch.equal(pool.mixed(faces(1, 2), generator), faces(1, 2))
    assert torch.equal(pool.faces, faces(1, 2))


def test_a_full_one_exchanges_about_half_of_them():
    pool, generator = Pool(20), torch.Generator().manual_seed(0)
    pool.mixed(faces(*range(20)), generator)
    given = faces(*range(100, 200))
    found = pool.mixed(given, generator)
    exchanged = (found != given).sum()
    assert 30 < exchanged < 70
    everything = sorted([*found.flatten().tolist(), *pool.faces.flatten().tolist()])
    assert everything == [*map(float, range(20)), *map(float, range(100, 200))]


def test_what_it_keeps_is_not_what_later_steps_change():
    pool, mine = Pool(2), faces(1, 2)
    pool.mixed(mine, torch.Generator())
    mine.zero_()
    assert torch.equal(pool.faces, faces(1, 2))


def test_none_is_kept_when_none_is_asked_for():
    pool = Pool(0)
    assert torch.equal(pool.mixed(faces(1), torch.Generator()), faces(1))
    assert pool.state_dict() == {}


def test_a_restored_one_follows_the_faces_to_their_device():
    pool = Pool(5)
    pool.load_state_dict({"faces": faces(1, 2)})
    pool.mixed(faces(3).to("meta"), torch.Generator())
    assert pool.faces.device.type == "meta"


def test_its_state_is_what_it_keeps():
    pool, other, generator = Pool(2), Pool(2), torch.Generator().manual_seed(3)
    pool.mixed(faces(1, 2, 3), generator)
    other.load_state_dict(pool.state_dict())
    assert torch.equal(pool.faces, other.faces)
