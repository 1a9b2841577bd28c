"""`facelet compare`: models of several runs side by side, as a table or in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from facelet.cli.options import Json, console, errors
from facelet.errors import FaceletError, unknown


def compare(
    runs: Annotated[list[str], typer.Argument(help="Folders of finished runs.")],
    only: Annotated[str, typer.Option(help="Show only these models, such as student,student-int8.")] = "",
    columns: Annotated[str, typer.Option(help="Show these columns, such as run,model,accuracy,bytes.")] = "",
    format_: Annotated[
        str,
        typer.Option(
            "--format", help="markdown, latex, csv or json; default: a table, or by the suffix of the file of --out."
        ),
    ] = "",
    out: Annotated[str, typer.Option(help="Write to this file, such as runs.md, instead of to standard output.")] = "",
    as_json: Json = False,
) -> None:
    """Compare the models of several runs: accuracy, size, speed and verdict; several seeds as mean and spread."""
    command(runs, only=_names(only), columns=_names(columns), format="json" if as_json else format_, out=out)


def command(
    runs: list[str],
    *,
    only: list[str],
    columns: list[str],
    format: str,
    out: str,
    console: Console = console,
    errors: Console = errors,
) -> None:
    """Prints or writes a comparison. Raises FaceletError for folders without a finished run and unknown names."""
    from facelet.io import files
    from facelet.measure.comparison.columns import chosen
    from facelet.measure.comparison.compare import compare
    from facelet.measure.comparison.formats import FORMATS, SUFFIXES, show

    if format and format not in FORMATS:
        raise unknown("--format", format, FORMATS)
    if out and not format:
        format = SUFFIXES.get(Path(out).suffix.lower(), "")
        if not format:
            raise FaceletError(f"--out {out}: give --format, or one of the suffixes {', '.join(SUFFIXES)}")
    chosen(columns)  # refuses unknown names before any file is read
    comparison = compare(runs, only)
    if not format:
        show(comparison, console, columns)
        return
    text = FORMATS[format](comparison, columns)
    if format == "csv":  # which has no place for them
        for note in comparison.notes:
            errors.print(f"[yellow]note[/]: {escape(note)}", soft_wrap=True)
    if out:
        files.write_text(out, text)
        errors.print(f"comparison in {out}", markup=False, soft_wrap=True)
    else:
        print(text, end="")


def _names(written: str) -> list[str]:
    return [name.strip() for name in written.split(",") if name.strip()]
