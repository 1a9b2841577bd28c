"""The ledger as people read it."""

from __future__ import annotations

import io

import pytest
from ledger_rows import INT8, by, row
from rich.console import Console

from facelet.measure.ledger.ledger import Ledger, compared, verdict
from facelet.measure.ledger.table import headline, legend, markdown, show
from facelet.text import as_text


def full():
    teacher = compared(row("teacher", 0.88, step="train", bytes=44_800_000, p50_ms=9.0, seconds=3000), None)
    student = compared(row(parent="teacher", seconds=2000, notes=["kd 0.9"]), teacher, by(-0.02, 0.01))
    alone = compared(row("student-alone", 0.85, control=True, compare="student"), student, by(-0.01, 0.02))
    small = compared(row("student-int8", 0.859, parent="student", **INT8), student, by(-0.001, 0.004))
    return Ledger([teacher, student, small, alone])


def test_headline_is_about_the_smallest_model_that_is_no_control():
    assert headline(full()) == (
        "student-int8: accuracy 85.9 % (n = 3,153 test faces), 1.40 MB, 0.80 ms per face. "
        "Compared with teacher: 32× smaller, 11.2× faster, −2.1 points (−3.8 to −0.5)."
    )
    ledger = full()
    ledger.paired = by(-0.021, 0.006)
    assert headline(ledger).endswith("Compared with teacher: 32× smaller, 11.2× faster, −2.1 points (−2.7 to −1.5).")
    near = Ledger([row("teacher", 0.865, bytes=44_800_000), row("student", 0.86)])
    assert headline(near).endswith("Compared with teacher: 8.8× smaller, −0.5 points (inside the interval).")
    assert headline(Ledger()) == "Nothing has been measured yet."
    assert headline(Ledger([row()])).endswith("5.10 MB, 1.50 ms per face.")


def test_markdown_says_under_what_the_numbers_were_made():
    text = markdown(full(), title="T-SNet", protocol="ferplus [ab12cd34]", machine="2 cores", notes=["toy faces"])
    lines = text.splitlines()
    assert lines[0] == "# Ledger: T-SNet"
    assert "- **Protocol**: ferplus [ab12cd34]" in lines
    assert "- **Machine**: 2 cores" in lines
    assert "- **Budget**: 83 min of training in total" in lines
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 6
    assert len({line.count("|") for line in table}) == 1
    assert "student-alone (control)" in text
    assert "- student: kd 0.9" in lines
    assert text.count("kd 0.9") == 1
    assert "1.40 MB int8" in text


def test_markdown_takes_names_as_text():
    ledger = Ledger([row("a|b\n# <script>")])
    table = [line for line in markdown(ledger, title="<b>", protocol="p").splitlines() if "script" in line]
    assert "a\\|b # &lt;script>" in table[0]
    assert as_text("[a](b) ![c](d) [0f3e] \x1b[31m") == "[a\\]\\(b) \\!\\[c\\]\\(d) [0f3e] [31m"


def test_show_prints_every_model():
    out = io.StringIO()
    show(full(), Console(file=out, width=160))
    text = out.getvalue()
    for part in (
        "teacher",
        "student-alone",
        "control: no measurable",
        "86.0 % (84.8–87.2)",
        "3.6× smaller",
        "32× smaller",
    ):
        assert part in text


@pytest.mark.parametrize("width", [80, 104, 132])
def test_show_fits_the_terminal(width):
    out = io.StringIO()
    show(full(), Console(file=out, width=width))
    assert "…" not in out.getvalue()
    assert max(map(len, out.getvalue().splitlines())) <= width
    assert "−0.1 (−0.5 to +0.3)" in out.getvalue()


def test_no_better_than_always_answering_the_largest_class():
    """A model whose interval reaches down to the baseline gets no praise, whatever it gained."""
    known = {"baseline": 0.404, "baseline_answer": "neutral"}
    always = "always predicting 'neutral' (40.4 %)"
    first = compared(row("teacher", 0.41, step="train", bytes=44_800_000, **known), None)
    student = compared(row(accuracy=0.414, parent="teacher", **known), first, by(0.004, 0.001))
    control = compared(row("alone", 0.40, control=True, compare="student", **known), student, by(-0.01, 0.02))
    assert student.verdict.startswith(f"no better than {always}; 8.8× smaller, +0.4 points")
    assert control.verdict.startswith("control: no measurable difference")
    assert control.verdict.endswith(f"; it is no better than {always}")
    ledger = Ledger([first, student, control])
    assert headline(ledger).startswith(
        f"student: accuracy 41.4 % (n = 3,153 test faces), no better than {always}, 5.10 MB"
    )
    assert f"- **Baseline**: {always}" in markdown(ledger, title="x", protocol="y")
    good = Ledger([row(accuracy=0.86, **known)])
    assert "(n = 3,153 test faces), baseline 40.4 % (always predicting 'neutral'), 5.10 MB" in headline(good)
    assert "no better" not in verdict(good.rows[0], None)
    out = io.StringIO()
    show(good, Console(file=out, width=104))
    assert f"baseline: {always}" in out.getvalue()


def test_a_long_name_is_whole_beside_its_verdict():
    name = "light-resnet-exit-early-int8"
    long = "3.6× smaller, 1.9× faster, −0.1 points (inside the interval), and more words than a line of 80 has room for"
    out = io.StringIO()
    show(Ledger([row(name, verdict=long), row("b", verdict=long)]), Console(file=out, width=80))
    lines = out.getvalue().splitlines()
    assert sum(line.startswith((f"{name} ", f"{name}:")) for line in lines) == 3  # table, verdict, headline


def test_columns_of_classes_give_way_to_those_of_pairs(pair_ledger):
    text = markdown(pair_ledger, title="People", protocol="pairs")
    header = next(line for line in text.splitlines() if line.startswith("| model"))
    assert "TAR at 1 %" in header
    assert not {"TAR at 0.1 %", "balanced", "ECE"} & {cell.strip() for cell in header.split("|")}
    assert "same-person pairs" in legend(pair_ledger)
    console = Console(width=150, record=True, quiet=False, file=open("/dev/null", "w"))  # noqa: SIM115
    show(pair_ledger, console)
    assert "TAR at 1 %" in console.export_text()
