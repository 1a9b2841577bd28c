from __future__ import annotations

import shutil

import numpy as np
import pytest

from facelet.errors import FaceletError
from facelet.faces import load, load_pairs
from facelet.faces.sources import lfw as module
from facelet.faces.sources.lfw import parse_pairs
from facelet.io import pixels


def test_pairs_and_their_photos(small_lfw, zipped):
    folder = small_lfw(folds=3, each=4)
    pairs = load_pairs(f"lfw:{folder}")
    assert (len(pairs), pairs.images.shape, pairs.fold_count) == (24, (24, 112, 112, 3), 3)
    lines = (folder / "pairs.txt").read_text().split("\n")[1:]
    for line, (first, second), same in zip(lines, pairs.pairs, pairs.same, strict=False):
        cells = line.split("\t")
        person, one, other, two = cells if len(cells) == 4 else (cells[0], cells[1], cells[0], cells[2])
        assert (person == other) == same
        assert pairs.names[first] == f"{person}/{person}_000{one}.png"
        assert pairs.names[second] == f"{other}/{other}_000{two}.png"
    for image, name in zip(pairs.images, pairs.names, strict=True):
        assert np.array_equal(image, pixels.read(folder / name))
    packed = load_pairs(f"lfw:{zipped(folder)}", size=32, channels=1)
    assert packed.images.shape == (24, 32, 32, 1)
    assert packed.protocol == pairs.protocol


def test_other_than_the_standard_pairs_say_so(small_lfw):
    pairs = load_pairs(f"lfw:{small_lfw()}")
    assert pairs.rule == "2 folds of 3 + 3, outside data, aligned as given"
    assert pairs.notes == ("not LFW's own 10 folds of 300 + 300 pairs: no figure for comparison",)


def test_only_photos_of_pairs_are_read_and_they_may_lie_deeper(small_lfw):
    folder = small_lfw()
    (folder / "Someone").mkdir()
    (folder / "Someone/Someone_0001.jpg").write_bytes(b"no image")
    shutil.move(folder / "Person_Aa", folder / "deep/Person_Aa")
    assert len(load_pairs(f"lfw:{folder}").images) == 12


def test_the_list_may_lie_elsewhere(small_lfw, tmp_path):
    folder = small_lfw()
    (folder / "pairs.txt").rename(tmp_path / "list.txt")
    assert len(load_pairs(f"lfw:{folder}?pairs={tmp_path / 'list.txt'}")) == 12
    with pytest.raises(FaceletError, match=r"holds no pairs\.txt; put it beside"):
        load_pairs(f"lfw:{folder}")


def test_photos_of_other_sizes_are_aligned(small_lfw, monkeypatch):
    asked = []

    def aligned(archive, names, *, size, channels):
        asked.append((len(names), size, channels))
        return np.zeros((len(names), size, size, channels), np.uint8), ("two were missed",)

    monkeypatch.setattr(module, "read_aligned", aligned)
    raw = small_lfw(size=250, name="raw")
    pairs = load_pairs(f"lfw:{raw}", size=96)
    assert asked == [(12, 96, 3)]
    assert pairs.rule.endswith("aligned by YuNet's five points")
    assert "two were missed" in pairs.notes
    given = load_pairs(f"lfw:{raw}?align=no")
    assert given.protocol.hash != pairs.protocol.hash
    load_pairs(f"lfw:{small_lfw()}?align=yes")
    assert len(asked) == 2


def test_mistakes(small_lfw):
    folder = small_lfw()
    with pytest.raises(FaceletError, match="'lfw' has pairs of faces, for measuring identity models"):
        load(f"lfw:{folder}")
    with pytest.raises(FaceletError, match="unknown source of pairs 'lwf', did you mean 'lfw'"):
        load_pairs(f"lwf:{folder}")
    with pytest.raises(FaceletError, match="unknown value of align 'maybe'"):
        load_pairs(f"lfw:{folder}?align=maybe")
    with pytest.raises(FaceletError, match="unknown option of face source 'lfw' 'pair'"):
        load_pairs(f"lfw:{folder}?pair=x")
    shutil.copytree(folder / "Person_Aa", folder / "again/Person_Aa")
    with pytest.raises(FaceletError, match="are the same photo of LFW"):
        load_pairs(f"lfw:{folder}")
    shutil.rmtree(folder / "again")
    shutil.rmtree(folder / "Person_Ab")
    with pytest.raises(FaceletError, match=r"name 12 photos, 2 of which are missing \(Person_Ab/Person_Ab_0001.jpg"):
        load_pairs(f"lfw:{folder}")


def test_aligned_and_whole_photos_together_are_refused(small_lfw):
    folder = small_lfw()
    large = small_lfw(size=250, name="raw")
    shutil.copy(large / "Person_Aa/Person_Aa_0001.png", folder / "Person_Aa/Person_Aa_0001.png")
    with pytest.raises(FaceletError, match="aligned faces and whole photos"):
        load_pairs(f"lfw:{folder}")


LIST = """2 2
Ann_Lee 1 4
Bo 2 3
Ann_Lee 1 Bo 12
Bo 1 Cy 1
Cy 1 2
Cy 1 3
Cy 1 Di 1
Di 2 Ann_Lee 3
"""


def test_every_line_against_a_reading_by_hand():
    listed = parse_pairs(LIST.replace(" ", "\t"), "pairs.txt")
    assert listed.pairs == [
        ("Ann_Lee/Ann_Lee_0001", "Ann_Lee/Ann_Lee_0004"),
        ("Bo/Bo_0002", "Bo/Bo_0003"),
        ("Ann_Lee/Ann_Lee_0001", "Bo/Bo_0012"),
        ("Bo/Bo_0001", "Cy/Cy_0001"),
        ("Cy/Cy_0001", "Cy/Cy_0002"),
        ("Cy/Cy_0001", "Cy/Cy_0003"),
        ("Cy/Cy_0001", "Di/Di_0001"),
        ("Di/Di_0002", "Ann_Lee/Ann_Lee_0003"),
    ]
    assert listed.same.tolist() == [True, True, False, False] * 2
    assert listed.folds.tolist() == [0] * 4 + [1] * 4
    assert listed.each == 2
    assert len(listed.faces) == 12


def test_windows_line_ends_and_blank_lines_at_the_end():
    assert parse_pairs(LIST.replace("\n", "\r\n") + "\r\n\r\n", "x").pairs == parse_pairs(LIST, "x").pairs


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "first line should have"),
        ("300\n", "first line should have .* not '300'"),
        (LIST.replace("2 2", "2 3", 1), r"2 folds of 3 \+ 3 pairs are 12 lines, it has 8"),
        (LIST + "Cy 1 Di 1\n", "are 8 lines, it has 9"),
        ("1 1\nCy 1 2\nCy 1 Di 1", "expected at least two folds"),
        (LIST.replace("Bo 2 3", "Bo 2 Cy 3"), "line 3 should read 'Name 1 4' at this place"),
        (LIST.replace("Bo 1 Cy 1", "Bo 1 2"), "line 5 should read 'Name 1 Other 3'"),
        (LIST.replace("Bo 2 3", "Bo two 3"), "line 3: 'two' should be the number"),
        (LIST.replace("Bo 2 3", "Bo 0 3"), "line 3: '0' should be the number"),
        (LIST.replace("Bo 2 3", "Bo 2 2"), "line 3 should be of two photos of one person"),
        (LIST.replace("Bo 1 Cy 1", "Bo 1 Bo 2"), "line 5 should be of two people"),
    ],
)
def test_mistakes_in_the_list(text, message):
    with pytest.raises(FaceletError, match=f"^pairs.txt: .*{message}|^pairs.txt: {message}"):
        parse_pairs(text, "pairs.txt")
