"""Display of the ledger: a table for the terminal, Markdown, and a headline.

>>> show(ledger, Console())
>>> files.write_text("ledger.md", markdown(ledger, title="T-SNet", protocol=str(faces.protocol)))
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from facelet.measure.ledger.ledger import Ledger, Summary
from facelet.measure.ledger.row import Row
from facelet.measure.ledger.verdict import compared_sizes, worded
from facelet.text import amount, as_text, duration, megabytes, milliseconds, percent, signed

TARS = ("TAR at 1 %", "TAR at 0.1 %")
COLUMNS = (
    *("model", "accuracy, 95 %", "change", "balanced", "spread", "ECE", *TARS),
    *("parameters", "MACs", "file", "p50", "p95"),
)
FITTING = (
    (142, ()),
    (132, ("spread",)),
    (104, ("spread", "ECE", "MACs", "p95")),
    (0, ("balanced", "spread", "ECE", *TARS, "parameters", "MACs", "p95")),
)
"""Minimum terminal width in characters, and the columns left out at that width; ``ledger.md`` shows all that have values."""


def cells(summary: Summary) -> tuple[str, ...]:
    """Returns the texts of one model's line, in the order of COLUMNS."""
    row = summary.row
    return (
        row.name + (" (control)" if row.control else ""),
        accuracy(summary),
        change(row),
        *(
            "" if share is None else percent(share)
            for share in (row.balanced_accuracy, row.recall_spread, row.ece, row.tar_1e2, row.tar_1e3)
        ),
        amount(row.params),
        amount(row.macs),
        f"{megabytes(row.bytes)} {row.precision}",
        milliseconds(row.p50_ms) if row.p50_ms else "",
        milliseconds(row.p95_ms) if row.p95_ms else "",
    )


def accuracy(summary: Summary) -> str:
    """Returns the accuracy as "85.9 % (84.6–87.1)" or, over several seeds, "85.9 ± 0.3 % (n = 3)"."""
    row = summary.row
    if summary.seeds > 1:
        return f"{100 * row.accuracy:.1f} ± {100 * summary.accuracy.sd:.1f} % (n = {summary.seeds})"
    return f"{percent(row.accuracy)} ({100 * row.accuracy_low:.1f}–{100 * row.accuracy_high:.1f})"


def change(row: Row) -> str:
    """Returns the change in percentage points as "−0.4 (−0.9 to 0.1)"; "" for the first model, or "no verdict"."""
    if row.unequal_steps:
        return "no verdict"
    if row.change is None or row.change_low is None or row.change_high is None:
        return ""
    return f"{signed(row.change)} ({signed(row.change_low)} to {signed(row.change_high)})"


def headline(ledger: Ledger) -> str:
    """Returns one or two sentences about the smallest model and how it compares with the first model."""
    ends = ledger.ends()
    if ends is None:
        return "Nothing has been measured yet."
    first, small = (end.row for end in ends)
    text = f"{small.name}: accuracy {percent(small.accuracy)} (n = {small.n:,} {small.split} {small.unit}), "
    if not small.beats_baseline:
        text += f"no better than {small.baseline_words}, "
    elif small.baseline is not None:
        text += f"baseline {percent(small.baseline)} ({small.baseline_rule}), "
    text += megabytes(small.bytes)
    if small.p50_ms:
        text += f", {milliseconds(small.p50_ms)} per face"
    difference = ledger.lead()
    if difference is None:
        return f"{text}."
    parts = [*compared_sizes(small, first), worded(difference)]
    return f"{text}. Compared with {first.name}: {', '.join(parts)}."


def show(ledger: Ledger, console: Console) -> None:
    """Prints the table, each model's verdict and the headline."""
    table = Table(box=None, header_style="dim", padding=(0, 2 if console.width >= 104 else 1, 0, 0))
    dropped = next(columns for width, columns in FITTING if console.width >= width)
    kept = [number for number in filled_columns(ledger.summaries()) if COLUMNS[number] not in dropped]
    for number in kept:
        table.add_column(COLUMNS[number], justify="left" if number == 0 else "right", no_wrap=True)
    verdicts = Table.grid(padding=(0, 2))
    longest = max((len(summary.row.name) for summary in ledger.summaries()), default=0)
    verdicts.add_column(min_width=min(longest, console.width // 2), overflow="fold")
    verdicts.add_column(overflow="fold")
    for summary in ledger.summaries():
        style = "dim" if summary.row.control else ""
        texts = [summary.row.name, *cells(summary)[1:]]  # controls are dim and named in their verdict
        table.add_row(*(escape(texts[number]) for number in kept), style=style)
        verdicts.add_row(escape(summary.row.name), escape(summary.row.verdict), style=style)
    console.print(table)
    if words := baseline(ledger):
        console.print(f"baseline: {words}", style="dim", markup=False)
    console.print()
    console.print(verdicts)
    console.print()
    console.print(f"[bold]{escape(headline(ledger))}[/]")


def markdown(
    ledger: Ledger,
    *,
    title: str,
    protocol: str,
    machine: str = "",
    budget: str = "",
    notes: Sequence[str] = (),
) -> str:
    """Returns the content of ``ledger.md``: headline, facts, table, verdicts and notes.

    ``protocol``: as text; ``machine``: where latency was measured; ``budget``: training budget; default: the measured time.
    """
    summaries = ledger.summaries()
    budget = budget or f"{duration(sum(row.seconds for row in ledger.rows))} of training in total"
    facts = {"Protocol": protocol, "Baseline": baseline(ledger), "Machine": machine, "Budget": budget}
    lines = [f"# Ledger: {as_text(title)}", "", as_text(headline(ledger)), ""]
    lines += [f"- **{name}**: {as_text(value)}" for name, value in facts.items() if value]
    kept = filled_columns(summaries)
    lines += ["", "| " + " | ".join(COLUMNS[number] for number in kept) + " |", "|:--" + "|--:" * (len(kept) - 1) + "|"]
    lines += ["| " + " | ".join(as_text(cells(summary)[number]) for number in kept) + " |" for summary in summaries]
    lines += ["", "## Verdicts", ""]
    lines += [
        f"- **{as_text(s.row.name)}**{_beside(s.row)}: {as_text(s.row.verdict)}" for s in summaries if s.row.verdict
    ]
    noted = [*notes, *ledger.notes()]
    if noted:
        lines += ["", "## Notes", "", *(f"- {as_text(note)}" for note in noted)]
    lines += ["", legend(ledger), ""]
    return "\n".join(lines)


def baseline(ledger: Ledger) -> str:
    """Returns the baseline in words; "" when no row has it."""
    return next((row.baseline_words for row in ledger.rows if row.baseline_words), "")


def about_pairs(ledger: Ledger) -> bool:
    """Returns whether the ledger is about identity models."""
    return any(row.unit == "pairs" for row in ledger.rows)


def legend(ledger: Ledger) -> str:
    """Returns an explanation of the columns."""
    return LEGEND.format(PAIRS if about_pairs(ledger) else CLASSES)


LEGEND = (
    "Accuracy is measured on the test split once, at the end of each step; model selection uses the validation split only. "
    "In brackets: Wilson's 95 % interval or, for several seeds, the standard deviation. Change: difference in percentage "
    "points to the parent (for a control: to the model it controls for), with its 95 % interval on the same faces. {} MACs: "
    "multiply-accumulates for one face. Latency: one face on the machine named here."
)
CLASSES = (
    "Balanced: mean recall over the classes; spread: its standard deviation over the classes. ECE: calibration error."
)
PAIRS = (
    "Accuracy on pairs is the mean over the folds, each at the best threshold of the other folds. TAR: share of same-person pairs "
    "that are accepted at the given false accept rate (FAR, the accepted share of different-person pairs)."
)


def filled_columns(summaries: Sequence[Summary]) -> list[int]:
    """Returns the columns in which at least one model has a value."""
    lines = [cells(summary) for summary in summaries]
    return [number for number in range(len(COLUMNS)) if any(line[number] for line in lines) or number < 3]


def _beside(row: Row) -> str:
    return f" (compared with {as_text(row.against)})" if row.against else ""
