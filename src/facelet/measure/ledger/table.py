"""The ledger as people read it: a table for the terminal, Markdown for a repository, and one sentence that sums it up.

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
"""Columns that a terminal of at least so many characters leaves out; ``ledger.md`` has all that say something."""


def cells(summary: Summary) -> tuple[str, ...]:
    """The texts of one model's line, as COLUMNS names them."""
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
    """ "85.9 % (84.6–87.1)", or over seeds "85.9 ± 0.3 % (n = 3)"."""
    row = summary.row
    if summary.seeds > 1:
        return f"{100 * row.accuracy:.1f} ± {100 * summary.accuracy.sd:.1f} % (n = {summary.seeds})"
    return f"{percent(row.accuracy)} ({100 * row.accuracy_low:.1f}–{100 * row.accuracy_high:.1f})"


def change(row: Row) -> str:
    """ "−0.4 (−0.9 to 0.1)" in points, "" for the first model, "no verdict" where that is the verdict."""
    if row.unequal_steps:
        return "no verdict"
    if row.change is None or row.change_low is None or row.change_high is None:
        return ""
    return f"{signed(row.change)} ({signed(row.change_low)} to {signed(row.change_high)})"


def headline(ledger: Ledger) -> str:
    """What the run made, in one or two sentences: its smallest model against the model that it began with."""
    ends = ledger.ends()
    if ends is None:
        return "Nothing has been measured yet."
    first, small = (end.row for end in ends)
    answers = f"answers {percent(small.accuracy)} of {small.n:,} {small.split} {small.unit} correctly"
    said = f"{small.name} {answers}"
    if not small.beats_baseline:
        said = f"{small.name} is no better than {small.baseline_words}: it {answers}"
    elif small.baseline_words:
        said += f", where {small.baseline_words.replace(' (', ' gives ').rstrip(')')},"
    said += f" in {megabytes(small.bytes)}"
    if small.p50_ms:
        said += f" and {milliseconds(small.p50_ms)} a face"
    difference = ledger.lead()
    if difference is None:
        return f"{said}."
    parts = [*compared_sizes(small, first), worded(difference)]
    return f"{said}: {', '.join(parts)} beside {first.name}."


def show(ledger: Ledger, console: Console) -> None:
    """Prints the table, each model's verdict, and the sentence that sums it up."""
    table = Table(box=None, header_style="dim", padding=(0, 2 if console.width >= 104 else 1, 0, 0))
    dropped = next(columns for width, columns in FITTING if console.width >= width)
    kept = [number for number in said(ledger.summaries()) if COLUMNS[number] not in dropped]
    for number in kept:
        table.add_column(COLUMNS[number], justify="left" if number == 0 else "right", no_wrap=True)
    verdicts = Table.grid(padding=(0, 2))
    longest = max((len(summary.row.name) for summary in ledger.summaries()), default=0)
    verdicts.add_column(min_width=min(longest, console.width // 2), overflow="fold")
    verdicts.add_column(overflow="fold")
    for summary in ledger.summaries():
        style = "dim" if summary.row.control else ""
        texts = [summary.row.name, *cells(summary)[1:]]  # a control is dim, and its verdict says what it is
        table.add_row(*(escape(texts[number]) for number in kept), style=style)
        verdicts.add_row(escape(summary.row.name), escape(summary.row.verdict), style=style)
    console.print(table)
    if told := baseline(ledger):
        console.print(f"baseline: {told}", style="dim", markup=False)
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
    """``ledger.md``: the sentence, what the numbers mean, the table, the verdicts.

    ``protocol``: its written form; ``machine``: where latency was taken; ``budget``: what training was given, the
    measured time when empty.
    """
    summaries = ledger.summaries()
    budget = budget or f"{duration(sum(row.seconds for row in ledger.rows))} of training in all"
    facts = {"Protocol": protocol, "Baseline": baseline(ledger), "Machine": machine, "Budget": budget}
    lines = [f"# Ledger: {as_text(title)}", "", as_text(headline(ledger)), ""]
    lines += [f"- **{name}**: {as_text(value)}" for name, value in facts.items() if value]
    kept = said(summaries)
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
    """What a model reaches that has learned nothing, "" where no row knows it."""
    return next((row.baseline_words for row in ledger.rows if row.baseline_words), "")


def about_pairs(ledger: Ledger) -> bool:
    """Whether its models are of identity."""
    return any(row.unit == "pairs" for row in ledger.rows)


def legend(ledger: Ledger) -> str:
    """What the columns mean."""
    return LEGEND.format(PAIRS if about_pairs(ledger) else CLASSES)


LEGEND = (
    "Accuracy is of a split that is read once, at the end of each step; selection uses validation only. With it stands "
    "Wilson's 95 % interval, or over several seeds the standard deviation. Change is in points against the parent (for "
    "a control: against the model it controls for), with the 95 % interval of the difference on the same faces. {} MACs "
    "are multiply-accumulates for one face; latency is for one face on the machine named here."
)
CLASSES = "Balanced is the mean recall of the classes, spread its standard deviation over them."
PAIRS = (
    "Accuracy is of pairs of faces, those of a fold at the threshold that is best on the other folds; TAR is the share of pairs of "
    "one person that are accepted where that share of the pairs of two people is."
)


def said(summaries: Sequence[Summary]) -> list[int]:
    """Columns in which some model has something."""
    lines = [cells(summary) for summary in summaries]
    return [number for number in range(len(COLUMNS)) if any(line[number] for line in lines) or number < 3]


def _beside(row: Row) -> str:
    return f" (beside {as_text(row.against)})" if row.against else ""
