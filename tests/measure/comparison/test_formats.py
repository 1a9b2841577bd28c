"""A comparison as a table, Markdown, LaTeX, CSV and JSON: the same figures in all of them."""

from __future__ import annotations

import csv
import io
import json

import pytest
from rich.console import Console
from run_folders import RECIPE, row, small, write_run

from facelet.measure.comparison.compare import compare
from facelet.measure.comparison.formats import FORMATS, SUFFIXES, as_csv, as_json, as_latex, as_markdown, filled, show

CHOSEN = ["run", "model", "accuracy", "bytes"]


@pytest.fixture
def comparison(tmp_path):
    long = "a-run-with-a-long-name-that-says-much"
    return compare(
        [write_run(tmp_path / "tsnet"), write_run(tmp_path / long, [row(ece=0.03)], recipe={**RECIPE, "far": 0.1})]
    )


def shown(comparison, width, columns=()):
    out = io.StringIO()
    show(comparison, Console(file=out, width=width), columns)
    return out.getvalue()


def test_markdown(comparison):
    lines = as_markdown(comparison, CHOSEN).splitlines()
    assert lines[:3] == [
        "| run | model | accuracy, 95 % | file |",
        "|:--|:--|--:|--:|",
        "| tsnet | student | 82.0 % (80.3–83.6) | 3.80 MB |",
    ]
    assert lines[-1] == "- times of different runs were not taken side by side; \\`facelet bench\\` does that"
    whole = as_markdown(comparison).splitlines()
    assert len({line.count("|") for line in whole[:5]}) == 1
    assert "3.8× smaller" in whole[3]


def test_latex(comparison):
    lines = as_latex(comparison, CHOSEN).splitlines()
    assert "\\begin{tabular}{llrr}" in lines
    assert "tsnet & student & 82.0 \\% (80.3--83.6) & 3.80 MB \\\\" in lines
    assert any(line.startswith("\\caption{Models of the runs tsnet, a-run-with") for line in lines)


def test_csv_and_json_have_the_plain_values(comparison):
    table = list(csv.DictReader(io.StringIO(as_csv(comparison))))
    value = json.loads(as_json(comparison))
    assert len(table) == len(value["rows"]) == 3
    assert list(table[0]) == list(value["rows"][0])
    assert (table[0]["accuracy"], table[0]["ece"], table[2]["ece"]) == ("0.82", "", "0.03")
    assert value["rows"][1]["bytes"] == 1_000_000
    assert value["notes"] == list(comparison.notes)
    assert json.loads(as_json(comparison, ["bytes"]))["rows"][0] == {"bytes": 3_800_000}
    assert as_csv(comparison, ["model"]).splitlines()[0] == "model,control"


def test_every_format_has_a_suffix():
    assert sorted(SUFFIXES.values()) == sorted(FORMATS)


def test_columns_without_values_are_left_out(comparison):
    assert "ece" in filled(comparison)
    assert not {"tar_1e2", "p50_mean"} & set(filled(comparison))
    assert filled(comparison, ["tar_1e2"]) == ["tar_1e2"]


@pytest.mark.parametrize("width", [80, 100, 140, 220])
def test_the_table_fits_the_terminal(comparison, width):
    text = shown(comparison, width)
    assert max(map(len, text.splitlines()[:4])) <= width
    assert "…" not in text
    for part in ("82.0 % (80.3–83.6)", "1.00 MB", "tsnet: student-int8", "3.8× smaller", "note: times of different"):
        assert part in text
    assert ("MACs" in text) == (width == 220)


def test_chosen_columns_are_all_shown(comparison):
    text = shown(comparison, 60, ["model", "verdict", "machine", "macs"])
    assert all(heading in text.splitlines()[0] for heading in ("model", "verdict", "machine", "MACs"))
    assert "tsnet: student" not in text


def test_names_from_files_are_text(tmp_path):
    hostile = "[bold]a|b\x1b[31m\n# <script>"
    comparison = compare([write_run(tmp_path / "run", [row(), small(machine=hostile, verdict=hostile)])])
    columns = ["model", "machine"]
    assert "[bold]a|b[31m # <script>" in shown(comparison, 120, columns)
    assert "\\|b[31m # &lt;script>" in as_markdown(comparison, columns)
    assert "\x1b" not in as_latex(comparison, columns)
