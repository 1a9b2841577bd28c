from __future__ import annotations

import numpy as np
import pytest

from facelet.errors import FaceletError
from facelet.faces import load
from facelet.faces.inspect.contact_sheet import contact_sheet
from facelet.faces.sources.pack_writer import write_pack
from facelet.io import pixels


def files(people: int = 20, faces: int = 3, before: str = "") -> list[str]:
    return [f"{before}s{person}/{number}.pgm" for person in range(people) for number in range(faces)]


def test_a_person_is_one_folder_and_in_one_split(lay_out, zipped):
    folder = lay_out(files(), size=32)
    faces = load(f"identities:{folder}?val=0.2")
    assert (faces.classes, set(faces.labels.tolist()), len(faces)) == ((), {-1}, 60)
    whose = [name.split("/")[0] for name in faces.names]
    people = sorted(set(whose))
    assert faces.identities.tolist() == [people.index(person) for person in whose]
    assert np.array_equal(faces.groups, faces.identities)
    in_split = {split: set(faces.identities[faces.splits == split]) for split in (0, 1)}
    assert [len(in_split[split]) for split in (0, 1)] == [16, 4]
    assert not in_split[0] & in_split[1]
    for image, name in zip(faces.images, faces.names, strict=True):
        assert np.array_equal(image, pixels.to_channels(pixels.read(folder / name), 1))
    packed = load(f"identities:{zipped(folder)}?val=0.2")
    assert packed.protocol == faces.protocol
    assert np.array_equal(packed.identities, faces.identities)


def test_faces_that_come_later_move_nobody(lay_out):
    few = load(f"identities:{lay_out(files(faces=2), name='few')}")
    many = load(f"identities:{lay_out(files(faces=5), name='many')}")
    for split in (0, 1):
        assert set(few.identities[few.splits == split]) == set(many.identities[many.splits == split])


def test_its_protocol_counts_faces_and_a_pack_keeps_them(lay_out, tmp_path):
    faces = load(f"identities:{lay_out(files())}")
    assert faces.protocol.counts == {"train": {"faces": 54}, "val": {"faces": 6}}
    assert str(faces.protocol).startswith(
        "identities (20 people, each in one split, val 0.1 of them), train 54 / val 6 ["
    )
    write_pack(faces, tmp_path / "people.pack")
    back = load(f"pack:{tmp_path / 'people.pack'}")
    assert back.protocol == faces.protocol
    for field in ("images", "labels", "identities", "groups", "splits", "names"):
        assert np.array_equal(getattr(back, field), getattr(faces, field))


def test_a_sheet_has_a_row_for_each_person(lay_out):
    folder = lay_out(files(people=6))
    assert contact_sheet(load(f"identities:{folder}")).shape[0] > contact_sheet(load(f"faces:{folder}")).shape[0]


def test_validation_may_be_left_out_and_single_faces_are_noted(lay_out):
    faces = load(f"identities:{lay_out([*files(3), 'alone/1.pgm'])}?val=0")
    assert not faces.has("val")
    assert faces.notes == ("1 people have a single face",)


def test_wrapping_folders_are_passed_through(lay_out):
    names = load(f"identities:{lay_out(files(before='a/train/'))}").names
    assert sorted(names) == sorted(files())


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        ([*files(), "stray.pgm"], "", r"1 images are in no person's folder \(stray\.pgm\)"),
        ([*files(), "s1/more/1.pgm"], "", r"1 images are deeper than PERSON/image \(s1/more/1\.pgm\)"),
        ([*files(4, before="train/"), *files(4, before="test/")], "", "give one of the split folders"),
        (files(1), "", "1 people are too few: train and val need two each"),
        (files(3), "", "3 people are too few"),
        (files(1), "?val=0", "1 people are too few: train needs two"),
        (files(4), "?val=1", "share val=1.0 should be"),
    ],
)
def test_mistakes(lay_out, names, options, message):
    with pytest.raises(FaceletError, match=message):
        load(f"identities:{lay_out(names)}{options}")


def test_an_empty_folder(tmp_path):
    with pytest.raises(FaceletError, match="expected a folder for each person"):
        load(f"identities:{tmp_path}")


def test_unreadable_files_are_left_out_when_asked(lay_out):
    folder = lay_out(files())
    (folder / "s1/0.pgm").write_bytes(b"P5 9 9 255\n")
    with pytest.raises(FaceletError, match=r"s1/0\.pgm"):
        load(f"identities:{folder}")
    assert len(load(f"identities:{folder}?unreadable=skip")) == 59


def test_what_is_no_image_is_counted(lay_out):
    folder = lay_out(files())
    plain = load(f"identities:{folder}")
    (folder / "s1/9.heic").write_bytes(b"x")
    faces = load(f"identities:{folder}")
    assert faces.notes == (*plain.notes, "1 other file ignored (.heic)")
    assert faces.protocol.hash == plain.protocol.hash
