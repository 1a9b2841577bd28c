from __future__ import annotations

import numpy as np
import pytest

from facelet.errors import FaceletError
from facelet.faces import load

COUNTS = {"anger": 135, "contempt": 54, "disgust": 177, "fear": 75, "happy": 207, "sadness": 84, "surprise": 249}
SUBJECTS = 118


@pytest.fixture
def ck48(lay_out):
    """981 files for 118 subjects with the counts of the real set: three frames a sequence, subjects in turn."""
    files, sequence = [], 0
    for name, count in COUNTS.items():
        for _ in range(count // 3):
            files += [
                f"{name}/S{sequence % SUBJECTS + 5:03d}_{sequence // SUBJECTS:03d}_{f:08d}.png" for f in (9, 10, 11)
            ]
            sequence += 1
    return lay_out(files, size=8, name="CK+48")


def test_counts(ck48):
    faces = load(f"ckplus:{ck48}", size=8)
    assert len(faces) == 981
    assert faces.classes == ("anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
    assert np.bincount(faces.labels).tolist() == list(COUNTS.values())
    assert len(np.unique(faces.groups)) == SUBJECTS
    assert faces.notes == ()


@pytest.mark.slow
def test_ten_folds_by_subject(ck48):
    tested = []
    for fold in range(10):
        faces = load(f"ckplus:{ck48}?fold={fold}", size=8)
        subjects = [set(faces.groups[faces.splits == split]) for split in range(3)]
        assert not subjects[0] & subjects[1]
        assert not subjects[0] & subjects[2]
        assert not subjects[1] & subjects[2]
        assert subjects[2] == set(range(fold, SUBJECTS, 10))
        assert subjects[1] == set(range((fold + 1) % 10, SUBJECTS, 10))
        tested += faces.names[faces.splits == 2].tolist()
    assert len(tested) == len(set(tested)) == 981


def test_frames_only_on_request_and_called_leaky(ck48):
    faces = load(f"ckplus:{ck48}?split=frames&fold=3", size=8)
    assert faces.notes[0].startswith("leaky:")
    assert set(faces.groups[faces.splits == 0]) & set(faces.groups[faces.splits == 2])
    shares = np.bincount(faces.labels[faces.splits == 2], minlength=7) / np.array(list(COUNTS.values()))
    assert np.abs(shares - 0.1).max() < 0.02
    assert faces.rule == "folds by frames, fold 3 of 10"


def test_mistakes(ck48, lay_out):
    with pytest.raises(FaceletError, match="fold=10 should be 0 to 9"):
        load(f"ckplus:{ck48}?fold=10")
    with pytest.raises(FaceletError, match="did you mean 'frames'"):
        load(f"ckplus:{ck48}?split=frame")
    with pytest.raises(FaceletError, match="is not CK\\+48"):
        load(f"ckplus:{lay_out(['happy/1.png'], name='other')}")
    with pytest.raises(FaceletError, match="unknown CK\\+ class folder 'hapy', did you mean 'happy'"):
        load(f"ckplus:{lay_out(['hapy/S005_001_00000011.png'], name='typo')}")
    twice = ["happy/S005_001_00000011.png", "fear/S005_001_00000011.png"]
    with pytest.raises(FaceletError, match="is in it twice"):
        load(f"ckplus:{lay_out(twice, name='twice')}")
