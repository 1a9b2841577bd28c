"""Rounds: how time and widths are divided among them, the cut that is kept while one lasts, and their joined curves."""

from __future__ import annotations

import threading
import time

import pytest
import torch

from facelet import nets
from facelet.shrink.pruning import rounds as room
from facelet.shrink.pruning.rounds import Round, join_curves


@pytest.mark.parametrize(("count", "shares"), [(1, [1.0]), (2, [0.5, 0.5]), (3, [0.25, 0.25, 0.5])])
def test_the_last_round_has_half_of_the_time(tmp_path, count, shares):
    assert [Round(number, count, tmp_path).share for number in range(1, count + 1)] == shares


def test_each_round_goes_an_equal_part_of_the_way_in_whole_units(tmp_path):
    final, units, path = {"a": 24, "b": 16, "c": 8, "d": 24}, {"a": 1, "b": 4, "c": 1, "d": 8}, []
    now = {"a": 64, "b": 64, "c": 8, "d": 60}
    for number in (1, 2, 3):
        now = Round(number, 3, tmp_path).widths(now, final, units)
        path.append(now)
    assert [each["a"] for each in path] == [51, 37, 24]
    assert [each["b"] for each in path] == [48, 32, 16]
    assert [each["d"] for each in path] == [44, 36, 24]
    assert path[-1] == final


def test_a_cut_is_made_once_by_the_first_process_and_read_by_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "POLL", 0.01)
    spec = nets.resolve("resnet18", classes=3, size=16, width=0.0625)
    net, made, read = spec.build().eval(), [], []

    def make():
        made.append(1)
        return net, spec

    each = Round(2, 3, tmp_path)
    follower = threading.Thread(target=lambda: read.append(each.cut("abc", False, make)))
    follower.start()
    time.sleep(0.05)
    assert not read
    mine, again = each.cut("abc", True, make), each.cut("abc", True, make)
    follower.join(120)
    assert made == [1]
    for found, _ in (mine, again, read[0]):
        assert all(torch.equal(one, other) for one, other in zip(found.parameters(), net.parameters(), strict=True))
    each.clear()
    assert not list(tmp_path.glob("round2/cut-*"))


def test_curves_are_joined_end_to_end(tmp_path):
    rounds = [Round(number, 2, tmp_path) for number in (1, 2)]
    for each, rows in zip(
        rounds, (["1,10,2.5,0.1,2,2,0.3", "2,20,5,0.1,1,1,0.4"], ["1,10,3,0.1,0.5,1,0.5"]), strict=True
    ):
        each.folder.mkdir()
        head = "epoch,step,seconds,lr,train_loss,val_loss,val_accuracy"
        (each.folder / "curves.csv").write_text("\n".join([head, *rows]) + "\n")
    join_curves(rounds, tmp_path / "curves.csv")
    lines = (tmp_path / "curves.csv").read_text().splitlines()
    assert lines[0] == head
    assert lines[1:] == ["1,10,2.5,0.1,2,2,0.3", "2,20,5,0.1,1,1,0.4", "3,30,8,0.1,0.5,1,0.5"]
