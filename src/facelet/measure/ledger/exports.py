"""Exports of the ledger: ``ledger.csv`` with a line per model and seed, and ``ledger.tex``, a table for a paper.

>>> files.write_text("ledger.csv", as_csv(ledger))
>>> files.write_text("ledger.tex", as_latex(ledger, caption="T-SNet", protocol=str(faces.protocol)))
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from facelet.measure.ledger.ledger import Ledger
from facelet.measure.ledger.row import Row
from facelet.measure.ledger.table import COLUMNS, baseline, cells, filled_columns

LISTS = ("needs", "notes")
"""Fields of a Row that do not fit in a cell; see ``ledger.json``."""
SPECIAL = {
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "×": r"$\times$",
    "−": "$-$",
    "–": "--",
    "→": r"$\to$",
}


def as_csv(ledger: Ledger) -> str:
    """Returns CSV with the field names of Row as header and plain numbers; unknown values are empty."""
    fields = [name for name in Row.model_fields if name not in LISTS]
    lines = io.StringIO()
    table = csv.DictWriter(lines, fields, extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    table.writerows(row.model_dump() for row in ledger.rows)
    return lines.getvalue()


def as_latex(ledger: Ledger, *, caption: str, protocol: str) -> str:
    """Returns the table of ``ledger.md`` as LaTeX (package booktabs), with the protocol in the caption."""
    summaries = ledger.summaries()
    kept = filled_columns(summaries)
    parts = [caption, f"Protocol: {protocol}"]
    if always := baseline(ledger):
        parts.append(f"Baseline: {always}")
    return latex_table(
        [COLUMNS[number] for number in kept],
        [[cells(summary)[number] for number in kept] for summary in summaries],
        caption=". ".join(parts),
        alignment=f"l{'r' * (len(kept) - 1)}",
    )


def latex_table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, caption: str, alignment: str) -> str:
    """Returns a LaTeX table (package booktabs). ``alignment``: a letter per column, as for a tabular."""
    lines = [
        "% needs \\usepackage{booktabs}",
        "\\begin{table}",
        "\\centering",
        f"\\caption{{{tex(caption)}.}}",
        f"\\begin{{tabular}}{{{alignment}}}",
        "\\toprule",
        " & ".join(map(tex, headings)) + " \\\\",
        "\\midrule",
        *(" & ".join(map(tex, row)) + " \\\\" for row in rows),
        "\\bottomrule",
        "\\end{tabular}",
        "\\end{table}",
    ]
    return "\n".join(lines) + "\n"


def tex(text: str) -> str:
    """Escapes text for LaTeX, on one line."""
    return "".join(SPECIAL.get(letter, letter) for letter in " ".join(text.split()) if letter.isprintable())
