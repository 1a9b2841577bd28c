"""The counts that every later figure rests on, on the real sets."""

from __future__ import annotations

import time

import numpy as np
import pytest

from facelet.faces import annotator_agreement, load
from facelet.faces.inspect.leaks import find_leaks, identical_to_train
from facelet.faces.sources.pack_writer import write_pack

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def ferplus(real):
    return load(f"ferplus:{real('ferplus.zip')}")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rule", "totals"),
    [
        ("majority", (25060, 3199, 3153)),
        ("majority-7", (24941, 3186, 3137)),
        ("probability", (27956, 3505, 3505)),
    ],
)
def test_ferplus_counts(real, rule, totals):
    protocol = load(f"ferplus:{real('ferplus.zip')}?rule={rule}").protocol
    assert tuple(protocol.total(split) for split in ("train", "val", "test")) == totals


def test_ferplus_test_classes_and_the_annotators(ferplus):
    assert ferplus.protocol.counts["test"] == {
        "neutral": 1090,
        "happiness": 893,
        "surprise": 396,
        "sadness": 384,
        "anger": 273,
        "disgust": 18,
        "fear": 83,
        "contempt": 16,
    }
    assert annotator_agreement(ferplus.split("test")) == pytest.approx(0.785, abs=0.0005)
    assert np.allclose(ferplus.votes.sum(axis=1), 1)


@pytest.mark.slow
def test_ferplus_leaks(ferplus):
    assert identical_to_train(ferplus, "val").sum() == 251
    assert identical_to_train(ferplus, "test").sum() == 259
    shared = find_leaks(ferplus).shared
    assert [entry.exact for entry in shared] == [251, 259, 41]
    assert all(100 < entry.near < 250 for entry in shared[:2])


@pytest.mark.slow
def test_ferplus_pack(ferplus, real, tmp_path):
    assert write_pack(ferplus, tmp_path / "ferplus.pack") <= 55_000_000
    start = time.perf_counter()
    load(f"ferplus:{real('ferplus.zip')}")
    middle = time.perf_counter()
    back = load(f"pack:{tmp_path / 'ferplus.pack'}")
    assert time.perf_counter() - middle < (middle - start) / 2
    assert back.protocol == ferplus.protocol
    for field in ("images", "labels", "splits", "names", "votes", "agreement"):
        assert np.array_equal(getattr(back, field), getattr(ferplus, field))


@pytest.mark.slow
def test_rafdb_train_counts(real):
    faces = load(f"rafdb:{real('rafdb_train.zip')}")
    assert np.bincount(faces.labels).tolist() == [1290, 281, 717, 4772, 1982, 705, 2524]
    assert faces.images.shape == (12271, 100, 100, 3)
    assert faces.protocol.total("val") == pytest.approx(12271 / 5, abs=4)
    assert faces.notes == ("no test split: only RAF-DB's training faces are there",)


def test_a_folder_in_a_zip(real):
    faces = load(f"folder:{real('orl.zip')}", size=48)
    assert len(faces.classes) == 40
    assert faces.images.shape == (400, 48, 48, 1)
