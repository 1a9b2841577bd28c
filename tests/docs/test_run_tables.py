"""docs/_ext/run_tables.py: what is kept of a run, its table, and that the pages have the tables of the kept runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from run_folders import row, small, write_run

from facelet.errors import FaceletError
from facelet.io import files

ROOT = Path(__file__).parents[2]
EXTENSION = ROOT / "docs" / "_ext"
COMMAND = "facelet run tsnet --faces ferplus:ferplus.zip --out runs/mine"


@pytest.fixture
def tables(monkeypatch):
    monkeypatch.syspath_prepend(str(EXTENSION))
    import run_tables

    return run_tables


def test_a_kept_run_has_the_same_table(tables, tmp_path):
    run = write_run(tmp_path / "runs" / "mine", command=COMMAND)
    (run / "student.onnx").write_bytes(b"large")
    kept = tables.keep(run, tmp_path / "docs")
    assert sorted(file.name for file in kept.iterdir()) == ["ledger.json", "recipe.yaml", "run.json"]
    text = tables.text([kept])
    assert text == tables.text([run])
    command, table, caption = text.split("\n\n")
    assert command == f"```bash\n{COMMAND}\n```"
    assert table.splitlines()[0].startswith("| model | accuracy, 95 % | change |")
    assert len(table.splitlines()) == 4
    assert caption == "`mine`: 2,000 test faces, protocol `15ca4b4b`, one seed, 2 min of training, machine: a box."


def test_models_and_columns_are_chosen(tables, tmp_path):
    run = write_run(tmp_path / "mine", command=COMMAND)
    table = tables.text([run], models="student-int8", columns="model,bytes").split("\n\n")[1]
    assert table.splitlines() == ["| model | file |", "|:--|--:|", "| student-int8 | 1.00 MB |"]


def test_several_runs_have_a_column_of_their_names(tables, tmp_path):
    runs = [write_run(tmp_path / name, [row(seed=seed)], command=name) for seed, name in enumerate("ab")]
    runs.append(write_run(tmp_path / "c", [row(protocol="0" * 8)], command="c", pixels="1"))
    commands, table, _ = tables.text(runs[1:], columns="").split("\n\n")
    assert commands.splitlines()[1:-1] == ["b", "c"]
    assert table.startswith("| run | model |")


def test_folds_are_kept_as_folds(tables, tmp_path):
    run = tmp_path / "runs" / "mine"
    files.write_json(run / "folds.json", 2)
    for fold in range(2):
        recipe = {"title": "t", "faces": {"source": "ckplus", "fold": fold}, "steps": []}
        write_run(run / f"fold-{fold}", [row(), small()], recipe=recipe, command=COMMAND)
    kept = tables.keep(run, tmp_path / "docs")
    text = tables.text([kept])
    assert text == tables.text([run])
    assert "2 folds" in text.split("\n\n")[2]


def test_a_run_with_a_path_of_this_machine_is_refused(tables, tmp_path):
    run = write_run(tmp_path / "mine", command="facelet run tsnet --faces ferplus:/home/me/ferplus.zip")
    with pytest.raises(FaceletError, match=r"names /home/me/ferplus\.zip"):
        tables.keep(run, tmp_path / "docs")


def test_an_unfinished_run_is_refused(tables, tmp_path):
    run = write_run(tmp_path / "mine", command=COMMAND)
    (run / "ledger.json").unlink()
    with pytest.raises(FaceletError, match="not finished"):
        tables.keep(run, tmp_path / "docs")


def test_the_pages_have_the_tables_of_the_kept_runs():
    pages = [str(page) for page in sorted((ROOT / "docs").glob("*.md")) if "[[[cog" in page.read_text(encoding="utf-8")]
    if not pages:
        pytest.skip("no page has a table of a run")
    done = subprocess.run(
        [sys.executable, "-m", "cogapp", "--check", "-I", str(EXTENSION), *pages], capture_output=True, text=True
    )
    assert done.returncode == 0, f"make tables\n{done.stdout}{done.stderr}"
