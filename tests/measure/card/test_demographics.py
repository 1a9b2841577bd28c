"""Groups by UTKFace's names: who is in which, and how sure a model is of each."""

from __future__ import annotations

import numpy as np
import pytest

from facelet.errors import FaceletError
from facelet.measure.card.demographics import PAIRS, grouped, strangers, sureness
from facelet.measure.metrics.intervals import wilson

NAMES = [
    "utkface/12_0_0_20170116174525125.jpg",
    "13_1_1_20170116174525125.jpg.chip.jpg",
    "19_0_2_20170116174525125.jpg",
    "20_1_3_1.jpg",
    "59_0_4_20170116232725357jpg.chip.jpg",
    "60_1_4_2.jpg",
    "116_1_0_3.jpg",
]
MALFORMED = ["39_1_20170116174525125.jpg", "24_0_1.jpg", "_0_1_2.jpg", "20_2_1_5.jpg", "20_1_5_5.jpg", "me.jpg"]


def test_groups_are_read_from_names():
    groups, skipped = grouped([*NAMES, *MALFORMED])
    assert skipped == len(MALFORMED)
    assert {(group.kind, group.name): group.rows.tolist() for group in groups} == {
        ("", "all"): [0, 1, 2, 3, 4, 5, 6],
        ("age", "age 0 to 12"): [0],
        ("age", "age 13 to 19"): [1, 2],
        ("age", "age 20 to 39"): [3],
        ("age", "age 40 to 59"): [4],
        ("age", "age 60 and over"): [5, 6],
        ("gender", "male"): [0, 2, 4],
        ("gender", "female"): [1, 3, 5, 6],
        ("race", "White"): [0, 6],
        ("race", "Black"): [1],
        ("race", "Asian"): [2],
        ("race", "Indian"): [3],
        ("race", "other"): [4, 5],
    }


def test_children_may_be_apart():
    groups, _ = grouped(NAMES, children_apart=True)
    rows = {group.name: group.rows.tolist() for group in groups}
    assert (rows["all"], rows["all from 13 years"], rows["age 0 to 12"]) == (list(range(7)), [1, 2, 3, 4, 5, 6], [0])
    assert (rows["male"], rows["White"], rows["female"]) == ([2, 4], [6], [1, 3, 5, 6])
    only, _ = grouped(["3_0_0_1.jpg", "4_0_0_2.jpg"], children_apart=True)
    assert [group.name for group in only] == ["all", "age 0 to 12"]


def test_rows_are_those_of_the_names_and_empty_groups_are_left_out():
    groups, _ = grouped(["me.jpg", "30_1_2_1.jpg"])
    assert [(str(group), group.rows.tolist()) for group in groups] == [
        ("all", [1]), ("age 20 to 39", [1]), ("female", [1]), ("Asian", [1]),
    ]  # fmt: skip


@pytest.mark.parametrize(("names", "says"), [([], "none of 0 names"), (MALFORMED, "got '39_1_20170116174525125.jpg'")])
def test_names_that_say_nothing_are_refused(names, says):
    with pytest.raises(FaceletError, match=r"--people faces:utkface\.zip") as caught:
        grouped(names)
    assert says in str(caught.value)


def test_sureness_is_counted_by_hand():
    groups, _ = grouped(NAMES)
    probabilities = np.random.default_rng(0).dirichlet((1, 1, 1), len(NAMES)).astype(np.float32)
    for group, row in zip(groups, sureness(probabilities, groups), strict=True):
        mine = [probabilities[number].tolist() for number in group.rows]
        unsure = sum(max(one) < 0.5 for one in mine)
        assert (row.kind, row.name, row.n) == (group.kind, group.name, len(mine))
        assert row.confidence == pytest.approx(sum(map(max, mine)) / len(mine))
        assert (row.unsure, row.low, row.high) == (unsure / len(mine), *wilson(unsure, len(mine)))
        for label in range(3):
            assert row.shares[label] == pytest.approx(sum(one.index(max(one)) == label for one in mine) / len(mine))


def test_strangers_are_never_drawn_with_themselves():
    groups, _ = grouped(NAMES)
    found = strangers(np.eye(len(NAMES), dtype=np.float32), groups, 0.5)
    assert {row.share for row in found} == {0.0}
    assert [row.name for row in found] == [group.name for group in groups if len(group.rows) > 1]


def test_strangers_that_look_alike_are_counted():
    names = [f"30_0_0_{number}.jpg" for number in range(4)] + [f"30_1_0_{number}.jpg" for number in range(4)]
    looks = np.repeat(np.eye(5, dtype=np.float32), [4, 1, 1, 1, 1], 0)  # the men look all alike, the women do not
    groups, _ = grouped(names)
    shares = {row.name: row for row in strangers(looks, groups, 0.9)}
    assert (shares["male"].share, shares["female"].share) == (1.0, 0.0)
    assert (shares["all"].share, shares["all"].n) == (4 * 3 / (8 * 7), 28)
    assert (shares["all"].low, shares["all"].high) == wilson(6, 28)


def test_of_many_pairs_some_are_drawn():
    names = [f"30_0_0_{number}.jpg" for number in range(600)]
    looks = np.eye(2, dtype=np.float32)[np.arange(600) % 2]
    groups, _ = grouped(names)
    row = strangers(looks, groups, 0.9)[0]
    assert row.n == PAIRS
    assert row.share == pytest.approx(299 / 599, abs=0.005)
    assert strangers(looks, groups, 0.9) == strangers(looks, groups, 0.9)
