"""Pictures that are frozen or of a single colour are said once, and that they are well again."""

from __future__ import annotations

import numpy as np

from facelet.runtime.media.health import Health


def pictures(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (48, 64, 3), dtype=np.uint8)


def notes(images, step: float = 0.5) -> list[str]:
    health = Health(patience=2)
    return [note for number, image in enumerate(images) if (note := health.seen(image, number * step))]


def test_a_live_picture_is_not_mentioned():
    assert notes(pictures(number) for number in range(40)) == []


def test_a_still_scene_for_less_than_the_patience():
    assert notes([*[pictures(1)] * 4, *[pictures(2)] * 4]) == []


def test_a_frozen_picture_is_said_once_and_then_that_it_changes():
    assert notes([pictures(0), *[pictures(1)] * 20, pictures(2), pictures(3)]) == [
        "the picture has not changed for 2 s",
        "the picture changes again",
    ]


def test_a_grey_picture_is_of_a_single_colour_and_not_frozen():
    grey = [np.full((48, 64, 3), 128 + number % 3, np.uint8) for number in range(20)]
    assert notes([pictures(0), *grey, pictures(1)]) == [
        "the picture has been of a single colour for 2 s",
        "the picture has content again",
    ]


def test_a_dark_room_is_noise():
    dark = [np.random.default_rng(number).integers(0, 20, (48, 64, 3), dtype=np.uint8) for number in range(20)]
    assert notes(dark) == []
