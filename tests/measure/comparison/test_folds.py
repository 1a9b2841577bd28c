"""Folds of a cross-validation, as one line."""

from __future__ import annotations

import pytest
from run_folders import RECIPE, row, small, write_run

from facelet.errors import FaceletError
from facelet.io import files
from facelet.measure.comparison.compare import compare
from facelet.measure.comparison.formats import as_markdown
from facelet.measure.metrics.intervals import wilson

FACES = {"source": "ckplus", "path": "CK+48", "size": 48, "channels": 1}


def fold(folder, number: int, accuracy: float, **recipe):
    rows = [
        row(accuracy=accuracy, n=100 + number, protocol=f"aa{number}"),
        small(accuracy - 0.01, n=100 + number, protocol=f"aa{number}"),
    ]
    return write_run(folder, rows, recipe={**RECIPE, "faces": {**FACES, "fold": number}, **recipe}, pixels=f"{number}")


@pytest.fixture
def folds(tmp_path):
    for number, accuracy in enumerate((0.90, 0.94, 0.95)):
        fold(tmp_path / "ck" / f"fold-{number}", number, accuracy)
    files.write_json(tmp_path / "ck" / "folds.json", 3)
    return tmp_path / "ck"


def test_the_folds_of_a_folder_are_one_line(folds):
    comparison = compare([folds])
    assert [(line.run, line.summary.row.name, line.folds, line.seeds) for line in comparison.lines] == [
        ("ck", "student", 3, 1),
        ("ck", "student-int8", 3, 1),
    ]
    student, int8 = comparison.records()
    assert student["n"] == 303, "the test faces of all folds"
    assert student["accuracy"] == pytest.approx(0.93)
    assert student["accuracy_sd"] == pytest.approx(0.026457, abs=1e-5)
    low, high = wilson(282, 303)
    assert student["accuracy_high"] - student["accuracy_low"] < 1.3 * (high - low), (
        "of all test faces, not of one fold's"
    )
    assert int8["change"] == pytest.approx(-0.01)
    assert comparison.notes == ()
    assert "| ck | student | 93.0 ± 2.6 % (3 folds) |" in as_markdown(comparison, ["run", "model", "accuracy"])
    assert compare(sorted(folds.glob("fold-*"))).lines == comparison.lines, "given one by one"


def test_other_settings_are_another_line(folds, tmp_path):
    other = fold(tmp_path / "other", 3, 0.9, far=0.01)
    assert [line.folds for line in compare([folds, other]).lines] == [3, 3, 1, 1]
    again = fold(tmp_path / "again", 1, 0.9)
    assert [line.folds for line in compare([folds, again]).lines] == [3, 3, 1, 1], "a repeated fold"


def test_several_seeds_of_folds(tmp_path):
    runs = []
    for number in range(2):
        rows = [row(accuracy=0.9 + 0.01 * seed + 0.02 * number, seed=seed, n=100) for seed in range(2)]
        recipe = {**RECIPE, "faces": {**FACES, "fold": number}}
        runs.append(write_run(tmp_path / f"fold-{number}", rows, recipe=recipe))
    (line,) = compare(runs).lines
    assert (line.folds, line.seeds, line.summary.row.n) == (2, 2, 200)
    assert line.summary.row.accuracy == pytest.approx(0.915)


@pytest.mark.parametrize("content", ['"three"', "1", "1000000000", "[3]"])
def test_a_damaged_number_of_folds(folds, content):
    (folds / "folds.json").write_text(content)
    with pytest.raises(FaceletError, match=r"folds\.json is damaged: expected a number of folds, 2 to 100"):
        compare([folds])


def test_folds_that_have_not_begun(folds):
    files.write_json(folds / "folds.json", 4)
    with pytest.raises(FaceletError, match="has no fold-3 yet; continue it with: facelet run --resume"):
        compare([folds])
