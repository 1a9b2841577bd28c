"""Runs as a comparison reads them: which differ in the seed alone, and folders that hold no finished run."""

from __future__ import annotations

import pytest
from run_folders import RECIPE, row, write_run

from facelet.errors import FaceletError
from facelet.measure.comparison.runs import read_run


def settings(folder, **changes):
    return read_run(write_run(folder, **changes)).settings


def test_what_counts_as_a_setting(tmp_path):
    plain = settings(tmp_path / "plain")
    steps = [{**RECIPE["steps"][0], "seeds": 3}, {**RECIPE["steps"][1], "seeds": 3}]
    moved = {
        **RECIPE,
        "seeds": 3,
        "title": "Other words",
        "faces": {"source": "pack", "path": "/b/a.pack"},
        "steps": steps,
    }
    assert settings(tmp_path / "moved", recipe=moved) == plain
    longer = {**RECIPE, "steps": [{**RECIPE["steps"][0], "epochs": 4}, RECIPE["steps"][1]]}
    assert settings(tmp_path / "longer", recipe=longer) != plain
    assert settings(tmp_path / "far", recipe={**RECIPE, "far": 0.01}) != plain
    assert settings(tmp_path / "faces", pixels="1e") != plain
    assert settings(tmp_path / "splits", protocol={"split_hash": "99"}) != plain
    for name in ("none", "neither"):
        (write_run(tmp_path / name) / "recipe.yaml").unlink()
    assert read_run(tmp_path / "none").settings != read_run(tmp_path / "neither").settings


def test_folders_without_a_finished_run(tmp_path):
    runs = tmp_path / "runs"
    folder = write_run(runs / "tsnet")
    for given, says in (
        (runs / "tsnte", "no folder of a run .*did you mean '.*tsnet'"),
        (folder / "ledger.json", r"ledger.json is a file; give the folder of a run, such as .*tsnet$"),
        (runs, r"holds no run \(no run.json\); it contains runs: give .*runs/\*"),
    ):
        with pytest.raises(FaceletError, match=says):
            read_run(given)
    (folder / "ledger.json").unlink()
    with pytest.raises(
        FaceletError, match=r"is not finished \(no ledger.json\); continue it with: facelet run --resume"
    ):
        read_run(folder)
    (folder / "run.json").unlink()
    with pytest.raises(FaceletError, match="give a folder that `facelet run` filled"):
        read_run(folder)


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("ledger.json", "[]", "has no rows"),
        ("ledger.json", "{}", "expected a list of rows, got dict"),
        ("ledger.json", "[" * 100_000, "cannot read .*ledger.json"),
        ("ledger.json", '[{"name": "a"}]', "is not a ledger: step: Field required"),
        ("run.json", "[1]", "run.json is damaged: expected a mapping, got list"),
        ("run.json", "9" * 5000, "cannot read .*run.json"),
        ("recipe.yaml", "a: &x [1]\nb: *x\n", r"it uses YAML aliases \(\*name\), and no run writes that"),
        ("recipe.yaml", "{" * 3000, "it is nested more than 50 levels deep"),
        ("recipe.yaml", "- 1", "expected a mapping, got list"),
        ("recipe.yaml", "#" * 2_000_000, "more than Facelet's limit"),
    ],
)
def test_damaged_files(tmp_path, file, text, says):
    folder = write_run(tmp_path / "run")
    (folder / file).write_text(text)
    with pytest.raises(FaceletError, match=says):
        read_run(folder)


@pytest.mark.parametrize(
    ("field", "value"), [("params", 10**400), ("p50_ms", float("inf")), ("accuracy", float("nan"))]
)
def test_numbers_that_no_ledger_has(tmp_path, field, value):
    folder = write_run(tmp_path / "run")
    good = str(row().model_dump()[field])
    text = (folder / "ledger.json").read_text()
    shown = {"inf": "Infinity", "nan": "NaN"}.get(str(value), str(value))
    (folder / "ledger.json").write_text(text.replace(f'"{field}": {good}', f'"{field}": {shown}', 1))
    with pytest.raises(FaceletError, match=f"is not a ledger: {field}: "):
        read_run(folder)
