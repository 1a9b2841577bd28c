from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facelet.errors import FaceletError
from facelet.faces import annotator_agreement, load
from facelet.faces.sources.ferplus import CLASSES, majority, majority_7, probability

HEADER = ["Usage", "Image name", *CLASSES, "unknown", "NF"]
# One row for each case: clear, lone votes cleaned away, no majority, unknown, contempt, a tie of two.
VOTES = [
    ("Training", [9, 1, 0, 0, 0, 0, 0, 0, 0, 0]),
    ("Training", [0, 4, 0, 1, 1, 1, 1, 1, 1, 0]),
    ("Training", [5, 5, 0, 0, 0, 0, 0, 0, 0, 0]),
    ("Training", [0, 0, 0, 2, 0, 0, 0, 0, 8, 0]),
    ("PublicTest", [0, 0, 0, 0, 8, 2, 0, 0, 0, 0]),
    ("PublicTest", [0, 1, 1, 0, 0, 0, 0, 8, 0, 0]),
    ("PrivateTest", [0, 0, 10, 0, 0, 0, 0, 0, 0, 0]),
    ("PrivateTest", [0, 0, 0, 0, 0, 0, 0, 0, 0, 10]),
]
LABELS = [0, 1, -1, -1, 4, 7, 2, -1]
FOLDERS = {"Training": "FER2013Train", "PublicTest": "FER2013Valid", "PrivateTest": "FER2013Test"}


def face(row: int) -> np.ndarray:
    return np.random.default_rng(row).integers(0, 256, (48, 48), np.uint8)


def name_of(row: int) -> str:
    return "" if VOTES[row][1][9] == 10 else f"fer{row:07d}.png"


def write_votes(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "fer2013new.csv").open("w", newline="") as file:
        rows = [[usage, name_of(row), *votes] for row, (usage, votes) in enumerate(VOTES)]
        csv.writer(file).writerows([HEADER, *rows])


@pytest.fixture
def official(tmp_path) -> Path:
    root = tmp_path / "ferplus"
    write_votes(root)
    for row, (usage, _) in enumerate(VOTES):
        if name_of(row):
            (root / FOLDERS[usage]).mkdir(exist_ok=True)
            cv2.imwrite(str(root / FOLDERS[usage] / name_of(row)), face(row))
    return root


@pytest.fixture
def kaggle(tmp_path):
    def make(name: str = "fer2013.csv", header: str = "emotion,pixels,Usage") -> Path:
        root = tmp_path / name.split(".")[0]
        write_votes(root)
        lines = [header]
        for row, (usage, _) in enumerate(VOTES):
            pixels = " ".join(map(str, face(row).ravel()))
            lines.append(f"0,{pixels},{usage}" if "emotion,pixels" in header else f"0,{usage},{pixels}")
        (root / name).write_text("\n".join(lines))
        return root

    return make


def test_majority_rule_by_hand():
    counts = np.array([votes for _, votes in VOTES], np.float32)
    labels, votes = majority(counts)
    assert labels.tolist() == LABELS
    assert np.allclose(votes[1], [0, 4 / 9, 0, 1 / 9, 1 / 9, 1 / 9, 1 / 9, 1 / 9])
    assert majority_7(counts)[0].tolist() == [label if label != 7 else -1 for label in LABELS]


def official_probability(votes: list[int]) -> tuple[int, list[float]]:
    """The rule again, as a loop over one face, after the description in FERPlus's own reader."""
    left = [count if count > 1 else 0 for count in votes]
    total, target, got, labels = sum(left), [0.0] * 10, 0, 0
    searching = True
    while got < 0.75 * total and labels < 3 and searching:
        top = max(left)
        for label in range(10):
            if left[label] == top:
                target[label], left[label] = top, 0
                got, labels = got + top, labels + 1
                if label >= 8:
                    searching = False
                    if sum(target) > top:
                        target[label], labels = 0, labels - 1
                    break
    if sum(target) <= 0.5 * total or labels > 3 or int(np.argmax(target)) >= 8:
        return -1, [0.0] * 8
    return int(np.argmax(target)), [value / sum(target[:8]) for value in target[:8]]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=10, max_size=10))
def test_probability_rule_against_a_loop(chosen):
    votes = np.bincount(chosen, minlength=10)
    labels, targets = probability(votes[None].astype(np.float32))
    label, target = official_probability(votes.tolist())
    assert labels[0] == label
    assert np.allclose(targets[0], target)


def test_official_layout(official, zipped):
    faces = load(f"ferplus:{official}")
    kept = [row for row, label in enumerate(LABELS) if label >= 0]
    assert faces.names.tolist() == [name_of(row) for row in kept]
    assert faces.labels.tolist() == [LABELS[row] for row in kept]
    assert faces.splits.tolist() == [0, 0, 1, 1, 2]
    assert np.array_equal(faces.images[..., 0], [face(row) for row in kept])
    assert np.allclose(faces.votes.sum(axis=1), 1)
    assert annotator_agreement(faces) == pytest.approx(np.mean([0.9, 0.4, 0.8, 0.8, 1.0]))
    packed = load(f"ferplus:{zipped(official)}")
    assert packed.protocol == faces.protocol
    assert np.array_equal(packed.images, faces.images)


@pytest.mark.parametrize(
    ("name", "header"), [("fer2013.csv", "emotion,pixels,Usage"), ("icml_face_data.csv", "emotion, Usage, pixels")]
)
def test_kaggle_layouts_give_the_same_faces(official, kaggle, name, header):
    faces = load(f"ferplus:{official}")
    other = load(f"ferplus:{kaggle(name, header)}")
    assert other.protocol == faces.protocol
    assert np.array_equal(other.images, faces.images)


def test_size_and_colour(official):
    assert load(f"ferplus:{official}", size=32, channels=3).images.shape == (5, 32, 32, 3)


def test_missing_and_damaged_files(official):
    (official / "FER2013Train" / name_of(0)).unlink()
    (official / "FER2013Test" / name_of(6)).write_bytes(b"")
    with pytest.raises(FaceletError, match="2 of 5 images cannot be read"):
        load(f"ferplus:{official}")
    faces = load(f"ferplus:{official}?unreadable=skip")
    assert faces.notes == ("unreadable, left out: 2",)
    assert faces.labels.tolist() == [1, 4, 7]


def test_damaged_kaggle_rows(kaggle):
    root = kaggle()
    lines = (root / "fer2013.csv").read_text().split("\n")
    lines[2] = lines[2].replace(" ", " 9", 1).replace(",", ",x ", 1)
    (root / "fer2013.csv").write_text("\n".join(lines))
    with pytest.raises(FaceletError, match=r"1 rows of fer2013\.csv are not 48 x 48 values.*fer0000001\.png"):
        load(f"ferplus:{root}")
    assert len(load(f"ferplus:{root}?unreadable=skip")) == 4
    (root / "fer2013.csv").write_text("\n".join(lines[:4]))
    with pytest.raises(FaceletError, match="same order"):
        load(f"ferplus:{root}")


def test_what_is_missing_is_said(official, tmp_path):
    with pytest.raises(FaceletError, match=r"unknown rule .* 'majorty', did you mean 'majority'"):
        load(f"ferplus:{official}?rule=majorty")
    (tmp_path / "other").mkdir()
    with pytest.raises(FaceletError, match=r"has no fer2013new\.csv"):
        load(f"ferplus:{tmp_path / 'other'}")
    write_votes(tmp_path / "other")
    with pytest.raises(FaceletError, match="votes but no faces"):
        load(f"ferplus:{tmp_path / 'other'}")
    (tmp_path / "other" / "fer2013new.csv").write_text(",".join(HEADER) + "\nTraining,a.png,1,2\n")
    with pytest.raises(FaceletError, match="damaged"):
        load(f"ferplus:{tmp_path / 'other'}")


def test_a_table_cannot_name_files_elsewhere(official, tmp_path):
    (official / "FER2013Train" / name_of(0)).rename(tmp_path / "secret.png")
    table = official / "fer2013new.csv"
    table.write_text(table.read_text().replace(name_of(0), "../../secret.png"))
    with pytest.raises(FaceletError, match="holds no file"):
        load(f"ferplus:{official}")
