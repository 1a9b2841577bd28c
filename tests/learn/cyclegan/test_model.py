"""One CycleGAN: its losses against a second derivation, whose weights each half moves, and faces through a kept generator."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facelet.errors import FaceletError
from facelet.learn.cyclegan.model import CycleGan, CycleGanOptions, Pool, seconds_per_step, translated
from facelet.nets.spec import save_weights

SMALL = CycleGanOptions(width=4, blocks=1, layers=1, pool=0)


@pytest.fixture
def net():
    torch.manual_seed(3)
    return CycleGan(1, SMALL)


def faces(seed):
    return torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_the_losses_are_those_of_the_paper(net):
    x, y = faces(1), faces(2)
    losses, made, remade = net.generator_losses(x, y)
    G, F, DY, DX = net.forth, net.back, net.target, net.source
    assert torch.equal(made, G(x))
    assert torch.equal(remade, F(y))
    fooled = ((DY(G(x)) - 1) ** 2).mean() + ((DX(F(y)) - 1) ** 2).mean()
    cycle = (F(G(x)) - x).abs().mean() + (G(F(y)) - y).abs().mean()
    identity = (G(y) - y).abs().mean() + (F(x) - x).abs().mean()
    for name, expected in (("fooled", fooled), ("cycle", 10 * cycle), ("identity", 5 * identity)):
        torch.testing.assert_close(losses[name], expected)
    judged = net.discriminator_loss(x, y, made, remade, torch.Generator())
    parts = ((DY(y) - 1) ** 2).mean() + (DY(made) ** 2).mean() + ((DX(x) - 1) ** 2).mean() + (DX(remade) ** 2).mean()
    torch.testing.assert_close(judged, 0.5 * parts)


def test_each_half_moves_its_own_weights(net):
    generators = [*net.forth.parameters(), *net.back.parameters()]
    judges = [*net.target.parameters(), *net.source.parameters()]
    net.freeze_discriminators(True)
    losses, made, remade = net.generator_losses(faces(1), faces(2))
    torch.stack(list(losses.values())).sum().backward()
    assert all(weight.grad is not None for weight in generators)
    assert all(weight.grad is None for weight in judges)
    net.zero_grad()
    net.freeze_discriminators(False)
    net.discriminator_loss(faces(1), faces(2), made, remade, torch.Generator()).backward()
    assert all(weight.grad is None for weight in generators)
    assert all(weight.grad is not None for weight in judges)


def test_no_identity_costs_nothing():
    losses, _, _ = CycleGan(1, CycleGanOptions(width=4, blocks=1, identity=0)).generator_losses(faces(1), faces(2))
    assert set(losses) == {"fooled", "cycle"}


def test_faces_go_through_a_kept_generator(net, tmp_path):
    path, images = tmp_path / "net.safetensors", np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1), np.uint8)
    save_weights(net.forth, path)
    found = translated(CycleGan(1, SMALL).forth, path, images, torch.device("cpu"), batch=2)
    assert (found.shape, found.dtype) == (images.shape, np.uint8)
    with torch.no_grad():
        one = net.forth(torch.from_numpy(images[3:4]).permute(0, 3, 1, 2).float() / 127.5 - 1)[0, 0].numpy()
    assert np.abs(found[3, :, :, 0] - (one + 1) * 127.5).max() <= 0.51
    with pytest.raises(FaceletError, match=r"net\.safetensors is damaged, or holds the weights of another net"):
        translated(CycleGan(1, CycleGanOptions(width=8)).forth, path, images, torch.device("cpu"))


def test_its_step_is_timed():
    assert 0 < seconds_per_step(1, 16, SMALL, 8, "fp32") < 10


def numbers(*values):
    return torch.tensor([float(value) for value in values]).view(-1, 1, 1, 1)


def test_until_a_pool_is_full_faces_pass_and_are_kept():
    pool, generator = Pool(3), torch.Generator().manual_seed(0)
    assert torch.equal(pool.mixed(numbers(1, 2), generator), numbers(1, 2))
    assert torch.equal(pool.faces, numbers(1, 2))


def test_a_full_pool_exchanges_about_half_of_them():
    pool, generator = Pool(20), torch.Generator().manual_seed(0)
    pool.mixed(numbers(*range(20)), generator)
    given = numbers(*range(100, 200))
    found = pool.mixed(given, generator)
    exchanged = (found != given).sum()
    assert 30 < exchanged < 70
    everything = sorted([*found.flatten().tolist(), *pool.faces.flatten().tolist()])
    assert everything == [*map(float, range(20)), *map(float, range(100, 200))]


def test_what_a_pool_keeps_is_not_what_later_steps_change():
    pool, mine = Pool(2), numbers(1, 2)
    pool.mixed(mine, torch.Generator())
    mine.zero_()
    assert torch.equal(pool.faces, numbers(1, 2))


def test_none_is_kept_when_none_is_asked_for():
    pool = Pool(0)
    assert torch.equal(pool.mixed(numbers(1), torch.Generator()), numbers(1))
    assert pool.state_dict() == {}


def test_a_restored_pool_follows_the_faces_to_their_device():
    pool = Pool(5)
    pool.load_state_dict({"faces": numbers(1, 2)})
    pool.mixed(numbers(3).to("meta"), torch.Generator())
    assert pool.faces.device.type == "meta"


def test_a_pools_state_is_what_it_keeps():
    pool, other, generator = Pool(2), Pool(2), torch.Generator().manual_seed(3)
    pool.mixed(numbers(1, 2, 3), generator)
    other.load_state_dict(pool.state_dict())
    assert torch.equal(pool.faces, other.faces)
