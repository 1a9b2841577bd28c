"""`facelet compare` as it is typed."""

from __future__ import annotations

import json

import pytest
from run_folders import RECIPE, row, write_run
from typer.testing import CliRunner

from facelet.cli.app import app
from facelet.cli.options import console
from facelet.errors import FaceletError


@pytest.fixture(autouse=True)
def runs(tmp_path, monkeypatch):
    """Two runs in the folder where the command is typed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(console, "_width", 200)
    write_run(tmp_path / "runs" / "tsnet")
    write_run(tmp_path / "runs" / "other", [row(accuracy=0.7)], recipe={**RECIPE, "far": 0.01})


def typed(*words):
    return CliRunner().invoke(app, ["compare", *words])


def test_a_table_of_two_runs():
    text = typed("runs/tsnet", "runs/other").stdout
    for part in (
        "tsnet",
        "student-int8",
        "82.0 % (80.3–83.6)",
        "70.0 %",
        "3.8× smaller",
        "note: times of different runs",
    ):
        assert part in text
    only = typed("runs/tsnet", "runs/other", "--only", "student-int8", "--columns", "run,model").stdout.splitlines()
    assert [line.split() for line in only] == [["run", "model"], ["tsnet", "student-int8"]]


def test_formats_and_files(tmp_path):
    assert json.loads(typed("runs/tsnet", "--json", "--columns", "bytes").stdout)["rows"][1] == {"bytes": 1_000_000}
    assert typed("runs/tsnet", "--format", "markdown").stdout.startswith("| run | model |")
    done = typed("runs/tsnet", "runs/other", "--out", "table.csv")
    assert done.stdout == ""
    assert "note: times of different runs" in done.stderr
    assert "comparison in table.csv" in done.stderr
    assert (tmp_path / "table.csv").read_text().startswith("run,model,control,step,")
    typed("runs/tsnet", "--out", "table.txt", "--format", "latex")
    assert "\\toprule" in (tmp_path / "table.txt").read_text()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("runs/tsnte",), "did you mean 'runs/tsnet'"),
        (("runs",), "it contains runs: give runs/*"),
        (("runs/tsnet", "--columns", "speed"), "unknown column 'speed'"),
        (("runs/tsnet", "--only", "teacher"), "unknown model in these runs 'teacher'"),
        (("runs/tsnet", "--format", "excel"), "unknown --format 'excel'"),
        (("runs/tsnet", "--out", "table.xlsx"), "give --format, or one of the suffixes .md, .tex, .csv, .json"),
    ],
)
def test_mistakes(words, says):
    error = typed(*words).exception
    assert isinstance(error, FaceletError)
    assert says in str(error)
