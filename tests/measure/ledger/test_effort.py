"""No verdict where a clock gave one of two models more training steps."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from facelet.measure.ledger.effort import unequal_steps
from facelet.measure.ledger.ledger import Ledger, Row, compared
from facelet.measure.ledger.table import markdown, show
from facelet.measure.metrics.intervals import Difference, wilson

N = 1000


def row(name, steps=0, accuracy=0.8, timed=True, **others):
    low, high = wilson(round(accuracy * N), N)
    plain = {
        "protocol": "ab12cd34",
        "split": "test",
        "n": N,
        "accuracy": accuracy,
        "accuracy_low": low,
        "accuracy_high": high,
    }
    sizes = {"params": 1000, "macs": 1000, "bytes": 4000, "p50_ms": 1.0, "p95_ms": 1.0}
    return Row(**{"name": name, "step": "train", "steps": steps, "timed": timed, **plain, **sizes, **others})


STUDENT = row("student", 32)
WORDS = "no verdict: 8 training steps against the 32 of student, with a length set by minutes"


def judged(control, other=STUDENT, *others):
    rows = [control, other, *others]
    control = control.model_copy(update={"unequal_steps": unequal_steps(control, other, rows)})
    return compared(control, other, Difference(-0.081, -0.1, -0.06, N))


def test_a_control_of_a_quarter_of_the_steps_proves_nothing():
    """The ledger had said "student is better by 8.1"."""
    alone = row("alone", 8, 0.7, control=True, compare="student")
    assert judged(alone).verdict == f"control: {WORDS}"
    assert judged(row("other", 8, 0.7, compare="student")).verdict == WORDS
    assert "better by 8.1" in judged(row("alone", 32, 0.7, control=True, compare="student")).verdict


@pytest.mark.parametrize(
    ("mine", "theirs", "timed", "said"),
    [
        (95, 100, (True, True), "95 training steps against the 100 of student"),
        (96, 100, (True, True), ""),
        (105, 100, (True, True), ""),
        (106, 100, (True, True), "106 training steps against the 100 of student"),
        (8, 32, (True, False), "8 training steps against the 32 of student"),
        (8, 32, (False, True), "8 training steps against the 32 of student"),
        (8, 32, (False, False), ""),
        (0, 32, (False, True), ""),
        (8, 0, (True, False), ""),
    ],
)
def test_what_is_unequal(mine, theirs, timed, said):
    """A twentieth is tolerated. Epochs are the user's choice, and of weights trained elsewhere no steps are known."""
    one, other = row("alone", mine, timed=timed[0], control=True), row("student", theirs, timed=timed[1])
    assert unequal_steps(one, other, [one, other]) == said


def test_steps_are_counted_since_fresh_weights():
    original = row("original", 60)
    pruned = row("pruned", 40, starts_from="original", step="prune", parent="original", bytes=1000)
    int8 = row("int8", starts_from="pruned", timed=False, step="quantize", parent="pruned")
    scratch = row("scratch", 100, control=True, compare="pruned")
    random = row("random", 40, starts_from="original", control=True, compare="pruned", timed=False)
    longer = row("longer", 60, starts_from="original", parent="original")
    rows = [original, pruned, int8, scratch, random, longer]
    for one, other in ((scratch, pruned), (scratch, int8), (random, pruned), (pruned, original), (longer, original)):
        assert not unequal_steps(one, other, rows), (one.name, other.name)
    short = random.model_copy(update={"steps": 30})
    assert unequal_steps(short, pruned, rows) == "30 training steps against the 40 of pruned"
    further = longer.model_copy(update={"control": True})
    assert unequal_steps(further, original, rows) == "60 training steps against the 0 of original"


def test_a_student_may_be_smaller_than_its_teacher_but_not_better():
    teacher = row("teacher", 8)
    small, equal = (row("small", 32, parent="teacher", step="distill", bytes=size) for size in (1000, 4000))
    assert judged(small, teacher).verdict == "4.0× smaller, −8.1 points (−10.0 to −6.0)"
    assert judged(equal, teacher).verdict.startswith("no verdict: 32 training steps against the 8 of teacher")


def test_one_seed_of_unequal_steps_is_enough():
    rows = [row("student", 32, seed=seed) for seed in range(2)]
    alone = [row("alone", steps, 0.7, control=True, compare="student", seed=seed) for seed, steps in enumerate((32, 8))]
    judged_ = [judged(one, other, *rows, *alone) for one, other in zip(alone, rows, strict=True)]
    ledger = Ledger([*rows, *judged_])
    assert f"control: {WORDS}" in [summary.row.verdict for summary in ledger.summaries()]


def test_terminal_and_markdown_give_no_difference():
    ledger = Ledger([STUDENT, judged(row("alone", 8, 0.7, control=True, compare="student"))])
    console = Console(file=io.StringIO(), width=160)
    show(ledger, console)
    for text in (console.file.getvalue(), markdown(ledger, title="x", protocol="toy")):
        assert WORDS in text
        assert "8.1" not in text
