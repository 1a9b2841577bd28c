"""Lines of several runs: seeds that are merged, runs that are not, and notes on what cannot be compared."""

from __future__ import annotations

import os

import pytest
from run_folders import RECIPE, row, small, write_run

from facelet.errors import FaceletError
from facelet.measure.comparison.compare import compare

OTHER = {**RECIPE, "far": 0.01}


def named(comparison):
    return [(line.run, line.summary.row.name, line.seeds) for line in comparison.lines]


def test_models_of_runs_side_by_side(tmp_path):
    first, second = write_run(tmp_path / "a"), write_run(tmp_path / "b", recipe=OTHER)
    comparison = compare([first, second, tmp_path / "b" / ".." / "a"])
    both = [("a", "student", 1), ("a", "student-int8", 1), ("b", "student", 1), ("b", "student-int8", 1)]
    assert named(comparison) == both
    assert comparison.notes == ("times of different runs were not taken side by side; `facelet bench` does that",)
    kept = compare([first, second], ["student-int8"])
    assert named(kept) == both[1::2]
    assert [record["accuracy"] for record in kept.records(["accuracy"])] == [0.815, 0.815]
    assert kept.lines[0].summary.row.verdict.startswith("3.8× smaller, 1.9× faster, −0.5 points")
    assert compare([first]).notes == ()


def test_seeds_of_one_run_and_of_runs_that_differ_in_the_seed_alone(tmp_path):
    two = [row(accuracy=0.80), small(0.79), row(accuracy=0.82, seed=1), small(0.80, seed=1)]
    third = [row(accuracy=0.84, seed=2), small(0.81, seed=2)]
    folders = [write_run(tmp_path / "a", two, recipe={**RECIPE, "seeds": 2}), write_run(tmp_path / "b", third)]
    comparison = compare(folders)
    assert named(comparison) == [("a, b", "student", 3), ("a, b", "student-int8", 3)]
    student, int8 = comparison.records()
    assert student["accuracy"] == pytest.approx(0.82)
    assert student["accuracy_sd"] == pytest.approx(0.02)
    assert student["balanced_accuracy_sd"] == pytest.approx(0.02)
    assert int8["change"] == pytest.approx(-0.02), "the mean over the seeds of the differences to the same seed"
    assert comparison.notes == ()


def test_the_same_seed_again_is_another_line(tmp_path):
    folders = [write_run(tmp_path / name, machine=name) for name in ("a", "b")]
    assert len(compare(folders).lines) == 4
    other = write_run(tmp_path / "c", [row(seed=1)], recipe=OTHER)
    assert named(compare([folders[0], other]))[-1] == ("c", "student", 1), "its settings differ"


def test_what_cannot_be_compared_is_noted(tmp_path):
    first = write_run(tmp_path / "a")
    second = write_run(tmp_path / "b", [row(protocol="77aa", machine="another box")], recipe=OTHER)
    assert compare([first, second]).notes == (
        "accuracies of different protocols cannot be compared: [15ca4b4b test] of a; [77aa test] of b",
        "times of different machines cannot be compared: a on a box; b on another box",
    )


def test_names_are_as_short_as_they_can_be(tmp_path, monkeypatch):
    folders = [write_run(tmp_path / "x" / "tsnet"), write_run(tmp_path / "y" / "tsnet", recipe=OTHER)]
    assert {line.run for line in compare(folders).lines} == {"x/tsnet", "y/tsnet"}
    monkeypatch.chdir(folders[0])
    assert {line.run for line in compare([os.curdir]).lines} == {"tsnet"}


def test_mistakes(tmp_path):
    folder = write_run(tmp_path / "a")
    with pytest.raises(FaceletError, match="no runs to compare"):
        compare([])
    with pytest.raises(FaceletError, match="unknown model in these runs 'studnet', did you mean 'student'"):
        compare([folder], ["studnet"])
