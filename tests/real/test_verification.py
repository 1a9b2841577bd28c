"""People and pairs, on the real sets."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from facelet.faces import load, load_pairs
from facelet.faces.inspect.overlap import overlap
from facelet.faces.reading.aligned import read_aligned
from facelet.faces.reading.archive import open_archive
from facelet.io.pixels import cv2
from facelet.measure.verification import evaluate_pairs
from facelet.runtime.detector import SCORE_OF_CROPS, Detector

pytestmark = pytest.mark.real

YUNET = "face_detection_yunet_2023mar_int8bq.onnx"


@pytest.fixture(scope="module")
def pairs(real):
    return load_pairs(f"lfw:{real('lfw_112.zip')}")


def test_lfw_counts(pairs):
    assert (len(pairs), pairs.images.shape, pairs.fold_count) == (6000, (7701, 112, 112, 3), 10)
    for fold in range(10):
        same = pairs.same[pairs.folds == fold]
        assert (len(same), same.sum()) == (600, 300)
    assert pairs.notes == ()
    assert pairs.rule == "10 folds of 300 + 300, outside data, aligned as given"
    person = np.array([name.split("/")[0] for name in pairs.names])
    assert np.array_equal(person[pairs.pairs[:, 0]] == person[pairs.pairs[:, 1]], pairs.same)


def test_people_of_celeba_are_in_one_split(real, pairs):
    faces = load(f"identities:{real('celeba_ids.zip')}")
    assert faces.images.shape == (6049, 112, 112, 3)
    assert len(np.unique(faces.identities)) == 295
    in_val = set(faces.identities[faces.splits == 1])
    assert len(in_val) == 30
    assert not in_val & set(faces.identities[faces.splits == 0])
    assert "cannot be known" in str(overlap(faces, pairs))


def test_orl_by_person(real):
    faces = load(f"identities:{real('orl.zip')}")
    assert np.bincount(faces.identities).tolist() == [10] * 40
    assert faces.channels == 1


@pytest.mark.slow
def test_utkface_has_no_labels(real):
    faces = load(f"faces:{real('utkface.zip')}", size=32, channels=1)
    assert faces.protocol.counts == {"train": {"faces": 22064}}


@pytest.mark.slow
def test_grey_pixels_tell_a_little_and_no_more(pairs):
    def embed(images):
        rows = [cv2.resize(image.mean(2), (16, 16), interpolation=cv2.INTER_AREA).ravel() for image in images]
        return np.array(rows) - np.mean(rows, axis=1, keepdims=True)

    result = evaluate_pairs(embed, pairs)
    assert 0.55 < result.accuracy < 0.70
    assert result.supported == [1e-2, 1e-3]
    assert [result.at_far(far).accepted for far in result.supported] == [30, 3]


def test_faces_in_larger_photos_come_back_where_they_were_on_average(pairs, tmp_path):
    """One by one they do not: without what was around them YuNet sees each a few pixels elsewhere, but to no side in particular."""
    places = [os.environ.get("FACELET_YUNET", ""), Path(__file__).parents[2] / ".cache" / YUNET]
    file = next((place for place in filter(None, places) if Path(place).is_file()), None)
    if file is None:
        pytest.skip(f"{YUNET} is neither FACELET_YUNET nor in .cache")
    chosen = np.linspace(0, len(pairs.images) - 1, 60).astype(int)
    for row in chosen:
        photo = cv2.copyMakeBorder(pairs.images[row], 69, 69, 69, 69, cv2.BORDER_CONSTANT)
        cv2.imwrite(str(tmp_path / f"{row:05d}.png"), photo[..., ::-1])
    with open_archive(tmp_path) as archive:
        images, notes = read_aligned(
            archive, archive.images, size=112, channels=3, detector=Detector(file, SCORE_OF_CROPS)
        )
    assert notes == ()
    back, given = (some[:, 20:92, 20:92].mean(3) for some in (images, pairs.images[chosen]))
    (right, down), _ = cv2.phaseCorrelate(back.mean(0), given.mean(0), cv2.createHanningWindow((72, 72), cv2.CV_64F))
    assert np.hypot(right, down) < 2
