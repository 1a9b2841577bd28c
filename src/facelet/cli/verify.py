"""`facelet verify`: whether two photos show the same person."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from facelet.cli.options import (
    Allow,
    Detail,
    DetectorFile,
    IdentityModel,
    Json,
    Largest,
    MinScore,
    Threads,
    Threshold,
    configured_detector,
    console,
)
from facelet.cli.printing import print_training_notes

if TYPE_CHECKING:
    from pathlib import Path

    from facelet.runtime.detector import Finder


def verify(
    a: Annotated[str, typer.Argument(help="A photo with one face.")],
    b: Annotated[str, typer.Argument(help="Another.")],
    model: IdentityModel = "",
    detector: DetectorFile = "",
    min_score: MinScore = None,
    detail: Detail = None,
    threshold: Threshold = None,
    largest: Largest = False,
    threads: Threads = 0,
    allow: Allow = False,
    as_json: Json = False,
) -> None:
    """Say whether two photos show the same person: exit code 0 the same, 1 different, 2 a mistake."""
    code = command(
        a,
        b,
        model=model,
        detector=configured_detector(detector, min_score, detail),
        threshold=threshold,
        largest=largest,
        threads=threads,
        as_json=as_json,
        console=console,
    )
    raise typer.Exit(code)


def command(
    a: str,
    b: str,
    *,
    model: str = "",
    detector: Finder | str | Path = "",
    threshold: float | None = None,
    largest: bool = False,
    threads: int = 0,
    as_json: bool = False,
    console: Console,
) -> int:
    """Prints score, threshold and verdict. The exit code: 0 the same person, 1 different people."""
    from facelet.runtime.people import subject
    from facelet.runtime.people.verify import compare

    analyzer = subject.identity_analyzer(model, detector, threads)
    found = compare(analyzer, a, b, threshold, largest)
    print_training_notes(analyzer.model.info)
    for note in found.notes:
        print(note, file=sys.stderr)
    if as_json:
        print(json.dumps({"model": str(analyzer.model.path), "photos": [a, b], **found.to_json()}))
    else:
        verdict = "[green]same person[/]" if found.same else "[yellow]different people[/]"
        console.print(f"score {found.score:.3f}, threshold {found.threshold:.3f}: {verdict}")
    return 0 if found.same else 1
