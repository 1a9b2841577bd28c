"""The columns of `facelet compare`, as a table."""

from __future__ import annotations

from reference_markdown import table

from facelet.measure.comparison.columns import COLUMNS, DEFAULT


def markdown() -> str:
    rows = [
        (
            f"`{name}`",
            column.heading,
            ", ".join(f"`{field}`" for field in column.fields),
            "yes" * (name in DEFAULT),
            column.about,
        )
        for name, column in COLUMNS.items()
    ]
    return table(("name", "heading", "values in CSV, JSON and records", "in a table by default", "what it is"), rows)
