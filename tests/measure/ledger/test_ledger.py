"""The ledger: rows kept, seeds summed up, verdicts that claim no more than they may."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from rich.console import Console
from scipy import stats

from facelet.errors import FaceletError
from facelet.measure.ledger.ledger import Ledger, Row, compared, verdict
from facelet.measure.ledger.row import figures
from facelet.measure.ledger.table import headline, markdown, show
from facelet.measure.metrics.intervals import Difference, wilson
from facelet.measure.verification import PairScores
from facelet.text import amount, as_text, duration, megabytes, percent, points, times

N = 3153


def row(name="student", accuracy=0.86, **others):
    low, high = wilson(round(accuracy * N), N)
    plain = {
        "step": "distill", "protocol": "ab12cd34", "split": "test", "n": N, "accuracy": accuracy, "accuracy_low": low,
        "accuracy_high": high, "balanced_accuracy": accuracy - 0.1, "params": 1_260_000, "macs": 7_000_000,
        "bytes": 5_100_000, "p50_ms": 1.5, "p95_ms": 1.8, "machine": "this one",
    }  # fmt: skip
    return Row(**{"name": name, **plain, **others})


def by(value, half):
    return Difference(value, value - half, value + half, N)


FP32 = row()
INT8 = {
    "step": "quantize",
    "kind": "shrinking",
    "allowance": 0.003,
    "precision": "int8",
    "bytes": 1_400_000,
    "p50_ms": 0.8,
}


@pytest.mark.parametrize(
    ("others", "parent", "difference", "said"),
    [
        ({}, None, None, "first model: accuracy 86.0 % (n = 3,153 faces), no earlier model to compare with"),
        (
            {"control": True},
            None,
            None,
            "control: accuracy 86.0 % (n = 3,153 faces), no model with the same net to compare with",
        ),
        ({}, FP32, by(0.004, 0.006), "+0.4 points, inside the interval: no measurable gain"),
        ({}, FP32, by(-0.004, 0.006), "−0.4 points, inside the interval: no measurable loss"),
        ({}, FP32, by(0.014, 0.006), "+1.4 points (+0.8 to +2.0): a measurable gain"),
        ({}, FP32, by(-0.014, 0.006), "−1.4 points (−2.0 to −0.8): a measurable loss"),
        (INT8, FP32, by(-0.001, 0.004), "3.6× smaller, 1.9× faster, −0.1 points (inside the interval)"),
        (
            {**INT8, "p50_ms": 1.97},
            FP32,
            by(-0.001, 0.004),
            "no gain: int8 is slower than its fp32 parent; "
            "3.6× smaller, 1.3× slower, −0.1 points (inside the interval)",
        ),
        (
            {**INT8, "bytes": 5_100_000, "p50_ms": 1.5},
            FP32,
            by(0, 0.004),
            "no gain: int8 is not smaller than its fp32 parent and no faster than its fp32 parent; "
            "0.0 points (inside the interval)",
        ),
        (
            INT8,
            FP32,
            by(-0.02, 0.004),
            "3.6× smaller, 1.9× faster, but −2.0 points (−2.4 to −1.6), more than the 0.3 points allowed",
        ),
        ({**INT8, "machine": "another"}, FP32, by(0, 0.004), "3.6× smaller, 0.0 points (inside the interval)"),
        (
            {"step": "prune", "kind": "shrinking", "bytes": 2_000_000, "p50_ms": 1.6},
            FP32,
            by(-0.01, 0.005),
            "no gain: it is slower than its parent; 2.5× smaller, −1.0 points (−1.5 to −0.5)",
        ),
        (
            {"step": "prune", "kind": "shrinking", "bytes": 5_000_000, "p50_ms": 1.45},
            FP32,
            by(0, 0.005),
            "hardly smaller, hardly faster, 0.0 points (inside the interval)",
        ),
        (
            {"control": True},
            FP32,
            by(-0.012, 0.005),
            "control: student is better by 1.2 points (+0.7 to +1.7)",
        ),
        (
            {"control": True},
            FP32,
            by(-0.003, 0.005),
            "control: no measurable difference from student (−0.3 points, inside the interval)",
        ),
        (
            {"control": True},
            FP32,
            by(0.012, 0.005),
            "control: better than student by 1.2 points (+0.7 to +1.7): the additions to student cost accuracy",
        ),
        (
            {"control": True},
            FP32,
            Difference(0.0004, 0.0001, 0.0007, 3153),
            "control: better than student by 0.0 points (0.0 to +0.1): the additions to student cost accuracy",
        ),
    ],
)
def test_verdicts(others, parent, difference, said):
    assert verdict(row("other", **others), parent, difference) == said


def test_a_distilled_student_beside_its_teacher():
    teacher = row("teacher", 0.88, bytes=44_800_000, p50_ms=9.0)
    said = verdict(row("student", 0.86), teacher, by(-0.02, 0.01))
    assert said == "8.8× smaller, 6.0× faster, −2.0 points (−3.0 to −1.0)"


def test_allowance_of_the_row_counts():
    assert "more than" not in verdict(row(**{**INT8, "allowance": 0.05}), FP32, by(-0.02, 0.004))
    assert "0.1 points allowed" in verdict(
        row(step="prune", kind="shrinking", bytes=10, p50_ms=1, allowance=0.001), FP32, by(-0.02, 0.004)
    )


@pytest.mark.parametrize("other", [{"protocol": "ffff0000"}, {"split": "val"}, {"n": 17}])
def test_rows_of_different_faces_refuse_to_be_compared(other):
    for ask in (verdict, compared):
        with pytest.raises(FaceletError, match="'other' and 'student' cannot be compared: their"):
            ask(row("other", **other), FP32, by(0, 0.1))


def test_without_single_answers_the_rows_intervals_are_joined():
    """Newcombe's unpaired interval by its formula."""
    one, two = row(accuracy=0.90), row(accuracy=0.80)
    filled = compared(one, two)
    below = np.hypot(one.accuracy - one.accuracy_low, two.accuracy_high - two.accuracy)
    assert filled.change == pytest.approx(0.1)
    assert filled.change_low == pytest.approx(0.1 - below)
    assert filled.verdict.endswith("a measurable gain")


def test_add_replaces_the_same_model_and_seed():
    ledger = Ledger([row(), row(seed=1), row("teacher")])
    ledger.add(row(accuracy=0.5))
    assert [(r.name, r.seed, r.accuracy) for r in ledger.rows] == [
        ("student", 0, 0.5), ("student", 1, 0.86), ("teacher", 0, 0.86),
    ]  # fmt: skip
    assert ledger.find("student", 1).seed == 1
    with pytest.raises(FaceletError, match="did you mean 'teacher'"):
        ledger.find("techer")


def test_save_and_load(tmp_path):
    ledger = Ledger([compared(row("teacher"), None), compared(row(), row("teacher"), by(0, 0.1))])
    ledger.save(tmp_path / "ledger.json")
    assert Ledger.load(tmp_path / "ledger.json").rows == ledger.rows
    written = json.loads((tmp_path / "ledger.json").read_text())
    assert isinstance(written, list)
    fields = "name parent step protocol split n accuracy accuracy_low accuracy_high balanced_accuracy params macs bytes"
    assert {*fields.split(), "p50_ms", "p95_ms", "verdict"} <= set(written[0])


@pytest.mark.parametrize("text", ["{}", "[{}]", "[1]", '[{"name": "x", "colour": 1}]', "torn", '"x"'])
def test_a_damaged_ledger_is_refused(tmp_path, text):
    (tmp_path / "ledger.json").write_text(text)
    with pytest.raises(FaceletError, match=r"ledger\.json"):
        Ledger.load(tmp_path / "ledger.json")


def seeds(name, accuracies, changes=None, **others):
    rows = []
    for seed, accuracy in enumerate(accuracies):
        extra = {}
        if changes:
            d = by(changes[seed], 0.002)
            extra = {"change": d.value, "change_low": d.low, "change_high": d.high}
        rows.append(row(name, accuracy, seed=seed, **extra, **others))
    return rows


def test_several_seeds_are_summed_up():
    teacher, student = (0.86, 0.87, 0.88), (0.85, 0.855, 0.86)
    changes = [s - t for s, t in zip(student, teacher, strict=True)]
    ledger = Ledger([*seeds("teacher", teacher), *seeds("student", student, changes, parent="teacher")])
    one, two = ledger.summaries()
    assert (one.row.name, one.seeds, two.row.name, two.seeds) == ("teacher", 3, "student", 3)
    assert (one.accuracy.mean, one.accuracy.sd) == pytest.approx((0.87, 0.01))
    theirs = stats.ttest_1samp(changes, 0).confidence_interval()
    assert (two.row.change_low, two.row.change_high) == pytest.approx((theirs.low, theirs.high))
    assert two.row.verdict == "−1.5 points (−2.7 to −0.3): a measurable loss"
    assert "85.5 ± 0.5 % (n = 3)" in markdown(ledger, title="x", protocol="y")


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


def test_figures_as_text():
    counts = (0, 999, 1_260_779, 11_170_000, 2_300_000_000)
    assert [amount(v) for v in counts] == ["0", "999", "1.26 M", "11.2 M", "2.30 G"]
    sizes = (900, 1_362_944, 44_800_000, 250_000)
    assert [megabytes(v) for v in sizes] == ["0.90 kB", "1.36 MB", "44.8 MB", "0.25 MB"]
    assert [points(v) for v in (0.004, -0.004, -0.0004)] == ["+0.4 points", "−0.4 points", "0.0 points"]
    assert [duration(v) for v in (42, 720, 11_100)] == ["42 s", "12 min", "3 h 05 min"]
    assert (percent(0.8812), times(4.13), times(33.2)) == ("88.1 %", "4.1×", "33×")


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


def test_the_baseline_of_pairs():
    result = PairScores(
        np.linspace(-1, 1, 100), np.arange(100) < 60, np.arange(100) % 2, "ab12cd34"
    )  # scores that go against the truth
    told = figures(result)
    assert told["baseline"] == 0.6
    assert verdict(row(**{**told, "balanced_accuracy": None}), None).startswith(
        "no better than predicting the same for all pairs (60.0 %); first model: "
    )


def test_a_long_name_is_whole_beside_its_verdict():
    name = "light-resnet-exit-early-int8"
    long = "3.6× smaller, 1.9× faster, −0.1 points (inside the interval), and more words than a line of 80 has room for"
    out = io.StringIO()
    show(Ledger([row(name, verdict=long), row("b", verdict=long)]), Console(file=out, width=80))
    lines = out.getvalue().splitlines()
    assert sum(line.startswith((f"{name} ", f"{name}:")) for line in lines) == 3  # table, verdict, headline
