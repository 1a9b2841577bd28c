from __future__ import annotations

import numpy as np
import pytest

from facelet.errors import FaceletError
from facelet.faces import load

NAMES = [f"{split}_{number:05d}_aligned" for split, count in (("train", 70), ("test", 14)) for number in range(count)]
LABELS = {name: number % 7 + 1 for number, name in enumerate(NAMES)}


@pytest.fixture
def by_folder(lay_out):
    return lay_out(
        [f"DATASET/{n.split('_')[0]}/{LABELS[n]}/{n}.jpg" for n in NAMES], channels=3, size=100, name="by_folder"
    )


@pytest.fixture
def by_list(lay_out, by_folder):
    root = lay_out([], name="by_list")
    (root / "basic/Image/aligned").mkdir(parents=True)
    for file in by_folder.rglob("*.jpg"):
        (root / "basic/Image/aligned" / file.name).write_bytes(file.read_bytes())
    (root / "basic/EmoLabel").mkdir()
    lines = [f"{name.removesuffix('_aligned')}.jpg {label}" for name, label in LABELS.items()]
    (root / "basic/EmoLabel/list_patition_label.txt").write_text("\n".join(lines) + "\n")
    return root


def test_both_layouts_and_the_zip_are_the_same_faces(by_folder, by_list, zipped):
    faces = load(f"rafdb:{by_folder}")
    assert faces.images.shape == (84, 100, 100, 3)
    assert faces.protocol.total("train") == 56
    assert faces.protocol.counts["val"] == dict.fromkeys(faces.classes, 2)
    assert faces.protocol.counts["test"] == dict.fromkeys(faces.classes, 2)
    assert faces.notes == ()
    for path in (by_list, zipped(by_folder)):
        other = load(f"rafdb:{path}")
        assert other.protocol == faces.protocol
        assert np.array_equal(other.images, faces.images)
    for name, label in zip(faces.names, faces.labels, strict=True):
        assert label == LABELS[name] - 1


def test_without_a_test_split_it_says_so(by_folder):
    for file in (by_folder / "DATASET/test").rglob("*.jpg"):
        file.unlink()
    assert load(f"rafdb:{by_folder}").notes == ("no test split: only RAF-DB's training faces are there",)
    faces = load(f"rafdb:{by_folder}?test=0.2")
    assert faces.has("test")
    assert faces.notes == ("test is a share of 0.2 of train: only RAF-DB's training faces are there",)


def test_labels_may_count_as_most_of_the_votes(by_folder):
    assert load(f"rafdb:{by_folder}").votes is None
    faces = load(f"rafdb:{by_folder}?agreement=0.85")
    assert faces.votes.sum(1) == pytest.approx(1)
    assert faces.votes[np.arange(len(faces)), faces.labels] == pytest.approx(0.85)
    assert sorted(set(faces.votes.ravel().tolist())) == pytest.approx([0.025, 0.85])
    assert faces.protocol == load(f"rafdb:{by_folder}").protocol
    for value in (0.1, 1.2):
        with pytest.raises(FaceletError, match="agreement"):
            load(f"rafdb:{by_folder}?agreement={value}")


def test_the_official_test_split_is_not_added_to(by_folder):
    with pytest.raises(FaceletError, match="own test faces"):
        load(f"rafdb:{by_folder}?test=0.2")


def test_wrong_layouts(by_list, lay_out):
    with pytest.raises(FaceletError, match="is not RAF-DB"):
        load(f"rafdb:{lay_out(['happy/1.jpg'], name='other')}")
    labels = by_list / "basic/EmoLabel/list_patition_label.txt"
    labels.write_text("train_00001.jpg 9\n")
    with pytest.raises(FaceletError, match="line 1 should read"):
        load(f"rafdb:{by_list}")
    labels.write_text("train_99999.jpg 1\n")
    with pytest.raises(FaceletError, match=r"train_99999_aligned\.jpg is missing"):
        load(f"rafdb:{by_list}")
