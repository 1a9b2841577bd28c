from __future__ import annotations

import pytest

from facelet.errors import FaceletError
from facelet.faces.sources.lfw import parse_pairs

GOOD = """2 2
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
    listed = parse_pairs(GOOD.replace(" ", "\t"), "pairs.txt")
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
    assert parse_pairs(GOOD.replace("\n", "\r\n") + "\r\n\r\n", "x").pairs == parse_pairs(GOOD, "x").pairs


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "first line should have"),
        ("300\n", "first line should have .* not '300'"),
        (GOOD.replace("2 2", "2 3", 1), r"2 folds of 3 \+ 3 pairs are 12 lines, it has 8"),
        (GOOD + "Cy 1 Di 1\n", "are 8 lines, it has 9"),
        ("1 1\nCy 1 2\nCy 1 Di 1", "expected at least two folds"),
        (GOOD.replace("Bo 2 3", "Bo 2 Cy 3"), "line 3 should read 'Name 1 4' at this place"),
        (GOOD.replace("Bo 1 Cy 1", "Bo 1 2"), "line 5 should read 'Name 1 Other 3'"),
        (GOOD.replace("Bo 2 3", "Bo two 3"), "line 3: 'two' should be the number"),
        (GOOD.replace("Bo 2 3", "Bo 0 3"), "line 3: '0' should be the number"),
        (GOOD.replace("Bo 2 3", "Bo 2 2"), "line 3 should be of two photos of one person"),
        (GOOD.replace("Bo 1 Cy 1", "Bo 1 Bo 2"), "line 5 should be of two people"),
    ],
)
def test_mistakes(text, message):
    with pytest.raises(FaceletError, match=f"^pairs.txt: .*{message}|^pairs.txt: {message}"):
        parse_pairs(text, "pairs.txt")
