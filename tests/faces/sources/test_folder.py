from __future__ import annotations

import numpy as np
import pytest

from facelet.errors import FaceletError, FaceletWarning
from facelet.faces import load

CLASSES = ("happy", "sad")


def files(count: int = 10, before: str = "") -> list[str]:
    return [f"{before}{name}/{number}.png" for name in CLASSES for number in range(count)]


def test_classes_as_folders(lay_out, zipped):
    folder = lay_out(files())
    faces = load(f"folder:{folder}")
    assert faces.classes == CLASSES
    assert faces.images.shape == (20, 48, 48, 1)
    assert {split: faces.protocol.total(split) for split in faces.protocol.counts} == {"train": 16, "val": 2, "test": 2}
    assert faces.names.tolist() == sorted(faces.names.tolist(), key=lambda name: (split_of(faces, name), name))
    packed = load(f"folder:{zipped(folder)}")
    assert packed.protocol == faces.protocol
    assert np.array_equal(packed.images, faces.images)


def split_of(faces, name: str) -> int:
    return int(faces.splits[faces.names.tolist().index(name)])


def test_every_face_keeps_its_label_and_pixels(lay_out):
    from facelet.io import pixels

    folder = lay_out(files())
    faces = load(f"folder:{folder}", size=48, channels=1)
    for image, label, name in zip(faces.images, faces.labels, faces.names, strict=True):
        assert name.startswith(CLASSES[label])
        assert np.array_equal(image, pixels.to_channels(pixels.read(folder / name), 1))


def test_splits_as_folders(lay_out):
    folder = lay_out([*files(6, "train/"), *files(3, "Validation/"), *files(2, "test/")])
    faces = load(f"folder:{folder}")
    assert faces.rule == "own splits"
    assert faces.protocol.counts == {
        "train": {"happy": 6, "sad": 6},
        "val": {"happy": 3, "sad": 3},
        "test": {"happy": 2, "sad": 2},
    }


def test_validation_is_taken_from_train_when_it_is_missing(lay_out):
    faces = load(f"folder:{lay_out([*files(10, 'train/'), *files(2, 'test/')])}?val=0.2")
    assert faces.protocol.counts["val"] == {"happy": 2, "sad": 2}
    assert faces.notes == ("val is a share of 0.2 taken from train",)
    assert "no test split" in load(f"folder:{lay_out(files(10, 'train/'), name='only')}").notes


def test_a_test_split_alone_is_enough_to_measure_on(lay_out):
    faces = load(f"folder:{lay_out(files(5, 'test/'))}")
    assert list(faces.protocol.counts) == ["test"]


def test_label_set_by_hand(lay_out):
    folder = lay_out(files())
    assert load(f"folder:{folder}?classes=sad,neutral,happy").classes == ("sad", "neutral", "happy")
    with pytest.raises(FaceletError, match=r"unknown label 'happy' \(10 faces\), did you mean 'hapy'\?"):
        load(f"folder:{folder}?classes=hapy,sad")
    with pytest.raises(FaceletError, match="each once"):
        load(f"folder:{folder}?classes=sad,sad")


def test_numbered_classes_are_sorted_as_numbers(lay_out):
    folder = lay_out([f"{label}/{number}.png" for label in (1, 2, 10) for number in range(3)])
    assert load(f"folder:{folder}").classes == ("1", "2", "10")


def test_what_is_wrong_is_said(lay_out, tmp_path):
    with pytest.raises(FaceletError, match="no file or folder"):
        load(f"folder:{tmp_path / 'absent'}")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FaceletError, match="holds no images; expected a folder for each class"):
        load(f"folder:{tmp_path / 'empty'}")
    with pytest.raises(FaceletError, match=r"class 'odd' has a single face, odd/1\.png"):
        load(f"folder:{lay_out([*files(), 'odd/1.png'], name='single')}")
    with pytest.raises(FaceletError, match=r"1 images are in no class folder \(stray\.png\)"):
        load(f"folder:{lay_out([*files(), 'stray.png'], name='stray')}")
    with pytest.raises(FaceletError, match="train beside other"):
        load(f"folder:{lay_out([*files(5, 'train/'), 'other/1.png'], name='mixed')}")
    hollow = lay_out(files(), name="hollow")
    (hollow / "anger").mkdir()
    with pytest.raises(FaceletError, match="class folder 'anger' holds no images"):
        load(f"folder:{hollow}")


def test_unreadable_files_are_refused_or_left_out(lay_out):
    folder = lay_out(files())
    (folder / "happy/3.png").write_bytes((folder / "happy/3.png").read_bytes()[:60])
    with pytest.raises(FaceletError, match=r"1 of 20 images cannot be read: happy/3\.png.*unreadable=skip"):
        load(f"folder:{folder}")
    with pytest.warns(FaceletWarning, match=r"^unreadable, left out: happy/3\.png$"):
        faces = load(f"folder:{folder}?unreadable=skip")
    assert len(faces) == 19
    # Notes travel in model files: they count, and name no single face.
    assert faces.notes == ("unreadable, left out: 1",)


def write_csv(folder, text: str) -> str:
    (folder / "faces.csv").write_text(text, encoding="utf-8-sig")
    return f"folder:{folder / 'faces.csv'}"


def test_csv(lay_out):
    folder = lay_out(f"all/{number}.png" for number in range(12))
    rows = [
        f"all/{n}.png,{CLASSES[n % 2]},{('train', 'train', 'val', 'test')[n // 2 % 4]},clip {n},{'Ann' * (n % 2)}"
        for n in range(12)
    ]
    faces = load(write_csv(folder, "\n".join(["Path,Label,Split,Group,Identity", *rows, "", ""])))
    assert faces.classes == CLASSES
    assert faces.protocol.total("train") == 8
    assert set(zip(faces.labels.tolist(), faces.identities.tolist(), strict=True)) == {(0, -1), (1, 0)}
    assert len(set(faces.groups.tolist())) == 12
    assert sorted(faces.names) == sorted(f"all/{n}.png" for n in range(12))


def test_csv_groups_do_not_fall_in_two_splits(lay_out):
    folder = lay_out(f"{number}.png" for number in range(40))
    rows = [f"{n}.png,{CLASSES[n % 2]},{n // 4}" for n in range(40)]
    faces = load(write_csv(folder, "\n".join(["path,label,group", *rows])))
    for group in range(10):
        assert len(set(faces.splits[faces.groups == group])) == 1
    assert set(faces.splits) == {0, 1, 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,label\n", "has no rows"),
        ("path,lable\n1.png,a", "unknown column .* 'lable', did you mean 'label'"),
        ("path,split\n1.png,train", "should be path,label"),
        ("path,label\n1.png,a,b", "line 2 has 3 cells"),
        ("path,label\n\n\n1.png,a,b", "line 4 has 3 cells"),
        ("path;label\n1.png;a", "'path;label', has no comma"),
        ("path,label\n1.png,", r"line 2 \(1.png\) has no label"),
        ("path,label,split\n1.png,a,trian", "unknown split .* 'trian', did you mean 'train'"),
        ("path,label\n1.png,a\n1.png,b", "is in 2 rows"),
        ("path,label\n9.png,a", "no such files beside it: 9.png"),
        ("path,label\n../1.png,a", "not beside or below the CSV"),
        ("path,label\n/etc/passwd,a", "not beside or below the CSV"),
    ],
)
def test_csv_mistakes(lay_out, text, message):
    with pytest.raises(FaceletError, match=message):
        load(write_csv(lay_out(["1.png", "2.png"]), text))


def test_a_csv_may_lie_beside_anything(lay_out, tmp_path):
    folder = lay_out(files(5))
    (folder / "link").symlink_to(tmp_path)
    rows = [f"{file},{file.split('/')[0]}" for file in files(5)]
    assert len(load(write_csv(folder, "\n".join(["path,label", *rows])))) == 10


def test_folders_passed_through_and_files_ignored_are_noted(lay_out, zipped):
    folder = lay_out([f"happy/{year}/{number}.png" for year in (2020, 2021) for number in range(5)])
    (folder / "happy/2020/a.heic").write_bytes(b"x")
    (folder / "happy/2020/b.JPE").write_bytes((folder / "happy/2020/1.png").read_bytes())
    (folder / "readme.txt").write_bytes(b"x")
    (folder / "happy/readme.txt").write_bytes(b"x")
    for source in (folder, zipped(folder)):
        faces = load(f"folder:{source}")
        assert faces.classes == ("2020", "2021")
        assert len(faces) == 11
        assert "1 other file ignored (.heic)" in faces.notes
    assert "the classes are the folders inside happy/" in load(f"folder:{folder}").notes


def test_a_single_face_may_measure_but_not_teach(lay_out):
    folder = lay_out(f"{number}.png" for number in range(4))
    rows = ["path,label,split", "0.png,a,test", "1.png,a,test", "2.png,b,test"]
    assert len(load(write_csv(folder, "\n".join(rows)))) == 3
    rows = ["path,label,split", "0.png,a,train", "1.png,a,test", "2.png,b,train"]
    with pytest.raises(FaceletError, match="class 'b' has a single face"):
        load(write_csv(folder, "\n".join(rows)))
