import math

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from facelet.errors import FaceletError
from facelet.learn.data.augment import (
    BLURRED,
    COLUMNS,
    CROPPED,
    DOWNSCALED,
    LIGHT,
    NONE,
    VIGNETTE,
    WORSE,
    Augmentation,
    apply,
    augment,
    augmentation,
    draw,
    plain,
)
from facelet.learn.data.degrade import compress, greyed, soften, toned, vignetted


def faces(n=6, side=32, channels=1, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (n, side, side, channels), dtype=np.uint8))


def params(n=6, **values):
    """Parameters that change nothing but what is named."""
    rows = draw(n, NONE, torch.Generator().manual_seed(0))
    for name, value in values.items():
        rows[:, COLUMNS.index(name)] = value
    return rows


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("channels", [1, 3])
def test_nothing_drawn_changes_nothing(channels):
    images = faces(channels=channels)
    expected = images.permute(0, 3, 1, 2).float() / 255
    torch.testing.assert_close(apply(images, params()), expected, atol=2e-5, rtol=0)
    assert torch.equal(plain(images), expected)
    assert torch.equal(plain(images.permute(0, 3, 1, 2)), expected)


def test_flip_is_a_mirror():
    images = faces(channels=3)
    torch.testing.assert_close(apply(images, params(mirror=-1)), plain(images).flip(3), atol=2e-5, rtol=0)


@pytest.mark.parametrize(("right", "down"), [(3, 0), (0, -5), (-2, 4)])
def test_shift_moves_by_whole_pixels(right, down):
    images = faces()
    moved = apply(images, params(dx=right / 32, dy=down / 32))
    rows, columns = np.arange(32) - down, np.arange(32) - right
    expected = plain(images)[:, :, rows.clip(0, 31)][:, :, :, columns.clip(0, 31)]
    torch.testing.assert_close(moved, expected, atol=5e-5, rtol=0)


@pytest.mark.parametrize(
    ("mirror", "dx", "dy", "scale", "degrees"),
    [(1, 0, 0, 1.2, 0), (1, 0, 0, 1, 90), (1, 0, 0, 1, 17), (-1, 0.06, -0.04, 0.9, -11)],
)
def test_map_agrees_with_a_second_derivation(mirror, dx, dy, scale, degrees):
    """Forward matrices of mirror, scale, turn and shift about the centre, inverted by numpy, sampled by scipy."""
    side, angle = 32, math.radians(degrees)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    forward = turn @ (scale * np.diag([mirror, 1]))
    images = faces(2)
    middle = (side - 1) / 2
    y, x = np.mgrid[:side, :side]
    out = np.stack([x.ravel() - middle - dx * side, y.ravel() - middle - dy * side])
    u, v = np.linalg.inv(forward) @ out + middle
    expected = [map_coordinates(image[:, :, 0].numpy() / 255, [v, u], order=1, mode="nearest") for image in images]
    changed = apply(images, params(2, mirror=mirror, dx=dx, dy=dy, scale=scale, turn=angle))
    np.testing.assert_allclose(changed[:, 0].reshape(2, -1), np.stack(expected), atol=2e-4)


def test_turn_is_anticlockwise():
    image = torch.zeros(1, 32, 32, 1, dtype=torch.uint8)
    image[0, 15:17, 30:] = 255
    turned = apply(image, params(1, turn=math.pi / 2))
    assert turned[0, 0, :2, 15:17].min() > 0.9
    assert turned[0, 0, 15:17, 30:].max() < 0.1


def test_erased_rectangle_holds_its_fill_and_nothing_else_changes():
    images = faces(channels=3)
    erased = apply(images, params(left=0.25, top=0.5, right=0.5, bottom=0.75, fill=0.3))
    expected = plain(images).clone()
    expected[:, :, 16:24, 8:16] = 0.3
    torch.testing.assert_close(erased, expected, atol=2e-5, rtol=0)


def test_gain_and_offset_and_clipping():
    images = faces()
    changed = apply(images, params(gain=1.5, offset=-0.2))
    torch.testing.assert_close(changed, (plain(images) * 1.5 - 0.2).clamp(0, 1), atol=5e-5, rtol=0)


def test_draws_stay_in_their_ranges():
    settings = Augmentation(flip=0.5, shift=0.1, scale=0.2, turn=10, erase=0.3, gain=0.25, bias=0.1)
    drawn = dict(zip(COLUMNS, draw(4000, settings, seeded()).unbind(1), strict=True))
    assert abs((drawn["mirror"] < 0).float().mean() - 0.5) < 0.04
    for name in ("dx", "dy"):
        assert 0.095 < drawn[name].abs().max() <= 0.1
    assert 1.19 < drawn["scale"].max() <= 1.2001
    assert 1 / 1.2001 <= drawn["scale"].min() < 0.84
    assert math.radians(9.9) < drawn["turn"].abs().max() <= math.radians(10.001)
    assert 0.74 < drawn["gain"].min() < 0.76 < 1.24 < drawn["gain"].max() < 1.26
    area = (drawn["right"] - drawn["left"]) * (drawn["bottom"] - drawn["top"])
    has = area > 0
    assert abs(has.float().mean() - 0.3) < 0.04
    assert area[has].min() > 0.019
    assert area[has].max() < 0.201
    assert min(drawn["left"].min(), drawn["top"].min()) >= 0
    assert max(drawn["right"].max(), drawn["bottom"].max()) <= 1.00001
    brightness = drawn["offset"] - (0.5 - 0.5 * drawn["gain"])
    assert 0.095 < brightness.abs().max() <= 0.1001


def test_the_same_seed_gives_the_same_faces():
    images, settings = faces(32), Augmentation()
    first, again = augment(images, settings, seeded(5)), augment(images, settings, seeded(5))
    assert torch.equal(first, again)
    assert not torch.equal(first, augment(images, settings, seeded(6)))
    assert first.shape == (32, 1, 32, 32)
    assert first.dtype == torch.float32
    assert 0 <= first.min() <= first.max() <= 1


def test_two_processes_see_what_one_would():
    """The rows of the global batch that a process owns, changed alone, are the rows of the whole."""
    images = faces(64)
    rows = draw(64, Augmentation(), seeded())
    whole = apply(images, rows)
    for rank in (0, 1):
        torch.testing.assert_close(apply(images[rank::2], rows[rank::2]), whole[rank::2], atol=1e-6, rtol=0)
    assert torch.equal(draw(20, Augmentation(), seeded()), rows[:20])


def test_each_face_is_changed_on_its_own():
    images = faces(8)
    rows = draw(8, Augmentation(erase=1), seeded(1))
    before = apply(images, rows)
    images[3] = 0
    after = apply(images, rows)
    others = [0, 1, 2, 4, 5, 6, 7]
    assert torch.equal(before[others], after[others])
    assert not torch.equal(before[3], after[3])


@pytest.mark.parametrize("bad", [{"flip": 1.5}, {"turn": -3}, {"turn": 200}, {"erase": float("nan")}, {"gain": 2}])
def test_senseless_settings_are_refused(bad):
    with pytest.raises(FaceletError, match=rf"{next(iter(bad))}=.*between 0 and"):
        Augmentation(**bad)


def test_senseless_faces_are_refused():
    with pytest.raises(FaceletError, match="uint8"):
        apply(torch.zeros(2, 32, 32, 1), params(2))
    with pytest.raises(FaceletError, match="C 1 or 3"):
        apply(torch.zeros(2, 32, 30, 1, dtype=torch.uint8), params(2))
    with pytest.raises(FaceletError, match="5 rows of augmentation for 6 faces"):
        apply(faces(6), params(5))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_sees_the_same_faces():
    images, rows = faces(32, channels=3), draw(32, Augmentation(), seeded())
    with torch.autocast("cuda", torch.bfloat16):
        there = apply(images.cuda(), rows)
    assert there.device.type == "cuda"
    torch.testing.assert_close(there.cpu(), apply(images, rows), atol=1e-3, rtol=0)


def test_strength_scales_every_range():
    assert augmentation(0).flip == 0
    assert augmentation(1.0) == augmentation({})
    assert augmentation(2.0).shift == pytest.approx(2 * augmentation(1.0).shift)
    assert augmentation(4.0).erase == 1
    assert augmentation(0.5).flip == augmentation(1.0).flip


WORST = {"blur": 0.3, "downscale": 0.4, "grey": 0.2, "jpeg": 0.5}


def test_worse_pictures_leave_all_other_columns_as_they_were():
    plain_rows = draw(500, Augmentation(), seeded())
    assert plain_rows.shape == (500, len(COLUMNS))
    for name in WORSE:
        rows = draw(500, Augmentation(**{name: 0.5}), seeded())
        assert rows.shape == (500, len(COLUMNS) + len(WORSE))
        assert torch.equal(rows[:, : len(COLUMNS)], plain_rows)
    whole = draw(500, Augmentation(**WORST), seeded())
    assert torch.equal(draw(20, Augmentation(**WORST), seeded()), whole[:20])


def test_worse_pictures_are_as_many_and_as_bad_as_asked_for():
    drawn = draw(20_000, Augmentation(**WORST), seeded())
    blur, downscale, grey, jpeg = drawn[:, len(COLUMNS) :].unbind(1)
    for has, share in ((blur > 0, 0.3), (downscale < 1, 0.4), (grey > 0, 0.2), (jpeg > 0, 0.5)):
        assert abs(has.float().mean() - share) < 0.015
    assert BLURRED[0] <= blur[blur > 0].min() <= blur.max() <= BLURRED[1]
    assert DOWNSCALED[0] <= downscale.min() < 0.26
    assert downscale.max() == 1
    assert jpeg[jpeg > 0].min() == pytest.approx(0.2, abs=0.01)
    assert jpeg.max() == pytest.approx(2.5, abs=0.01)
    table = torch.corrcoef(drawn[:, [0, 1, 2, 3, 4, 12, 13, 14, 15]].T)
    assert (table - torch.eye(9)).abs().max() < 0.03, "nothing goes with anything else"


def test_worse_pictures_come_after_the_move_and_before_what_is_erased():
    images, rows = faces(channels=3), draw(6, Augmentation(**dict.fromkeys(WORSE, 1.0), erase=1), seeded())
    moved, lit, erased = rows[:, :12].clone(), rows[:, :12].clone(), rows[:, :12].clone()
    nothing = params()
    moved[:, 5:12] = nothing[:, 5:12]
    worse = greyed(soften(apply(images, moved) * 255, rows[:, 12], rows[:, 13]), rows[:, 14])
    gain, offset = (lit[:, column].view(-1, 1, 1, 1) for column in (10, 11))
    expected = compress((worse / 255 * gain + offset).clamp(0, 1), rows[:, 15])
    erased[:, :5], erased[:, 10:] = nothing[:, :5], nothing[:, 10:]
    hidden = apply(torch.zeros_like(images), erased.index_fill(1, torch.tensor([9]), 1.0)) > 0.5
    expected = torch.where(hidden, rows[:, 9].view(-1, 1, 1, 1), expected)
    assert (apply(images, rows) - expected).abs().mean() < 1e-3  # a coefficient at a half may be rounded either way


def test_two_processes_see_the_same_worse_pictures():
    images, rows = faces(16, channels=3), draw(16, Augmentation(**WORST), seeded())
    whole = apply(images, rows)
    for rank in (0, 1):
        assert (apply(images[rank::2], rows[rank::2]) - whole[rank::2]).abs().mean() < 1e-4


def test_strength_does_not_make_pictures_worse():
    assert [getattr(augmentation(4.0), name) for name in WORSE] == [0, 0, 0, 0]
    assert augmentation({"blur": 0.3}).blur == 0.3
    with pytest.raises(FaceletError, match="jpeg=2 should be between 0 and 1"):
        augmentation({"jpeg": 2})


OTHER_LIGHT = {"gamma": 0.5, "vignette": 0.4}


def test_light_and_crops_leave_all_other_columns_as_they_were():
    plain_rows, bad_rows = draw(500, Augmentation(), seeded()), draw(500, Augmentation(**WORST), seeded())
    lit = draw(500, Augmentation(**OTHER_LIGHT), seeded())
    assert lit.shape == (500, len(COLUMNS) + len(LIGHT))
    assert torch.equal(lit[:, : len(COLUMNS)], plain_rows)
    both = draw(500, Augmentation(**WORST, **OTHER_LIGHT), seeded())
    assert torch.equal(both[:, :16], bad_rows)
    assert torch.equal(both[:, 16:], lit[:, 12:])
    cropped, scale = draw(500, Augmentation(crop=0.3), seeded()), COLUMNS.index("scale")
    others = [column for column in range(len(COLUMNS)) if column != scale]
    assert torch.equal(cropped[:, others], plain_rows[:, others])
    assert torch.equal(draw(20, Augmentation(**WORST, **OTHER_LIGHT, crop=0.3), seeded())[:, 16:], both[:20, 16:])


def test_light_and_crops_are_as_many_and_as_strong_as_asked_for():
    settings = Augmentation(scale=0, crop=0.3, **OTHER_LIGHT)
    drawn = draw(20_000, settings, seeded())
    scale, (gamma, vignette) = drawn[:, COLUMNS.index("scale")], drawn[:, 12:].unbind(1)
    assert abs((scale != 1).float().mean() - 0.3) < 0.015
    assert CROPPED[0] <= scale.min() < 0.86
    assert 1.24 < scale.max() <= CROPPED[1] + 1e-6
    assert 1 / 1.5001 <= gamma.min() < 0.67
    assert 1.49 < gamma.max() <= 1.5001
    assert abs(gamma.log().mean()) < 0.01
    has = vignette > 0
    assert abs(has.float().mean() - 0.4) < 0.015
    assert VIGNETTE[0] <= vignette[has].min() < 0.21
    assert 0.69 < vignette.max() <= VIGNETTE[1]
    table = torch.corrcoef(drawn[:, [0, 1, 2, 3, 4, 9, 12, 13]].T)
    assert (table - torch.eye(8)).abs().max() < 0.03, "nothing goes with anything else"


def test_light_comes_after_the_move_and_before_the_contrast():
    images = faces(channels=3)
    rows = torch.cat([params(gain=1.2, offset=-0.1), torch.tensor([[1.4, 0.5]]).expand(6, 2)], 1)
    by_hand = toned(plain(images) * 255, rows[:, 12]) / 255
    by_hand = vignetted((by_hand * 1.2 - 0.1).clamp(0, 1), rows[:, 13])
    torch.testing.assert_close(apply(images, rows), by_hand, atol=1e-4, rtol=0)
    again = apply(images[::2], rows[::2])
    torch.testing.assert_close(again, by_hand[::2], atol=1e-4, rtol=0)
