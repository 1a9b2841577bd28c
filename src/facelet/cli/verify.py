"""`facelet verify`: compares the faces of two photos."""

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
    TurnsChoice,
    configured_detector,
    console,
)
from facelet.cli.printing import print_training_notes

if TYPE_CHECKING:
    from pathlib import Path

    from facelet.runtime.detector import Finder


def verify(
    a: Annotated[str, typer.Argument(help="Photo with one face.")],
    b: Annotated[str, typer.Argument(help="Second photo with one face.")],
    model: IdentityModel = "",
    detector: DetectorFile = "",
    min_score: MinScore = None,
    detail: Detail = None,
    turns: TurnsChoice = "",
    threshold: Threshold = None,
    largest: Largest = False,
    threads: Threads = 0,
    allow: Allow = False,
    as_json: Json = False,
) -> None:
    """Check whether two photos show the same person: exit code 0 if the same, 1 if different, 2 on an error."""
    code = command(
        a,
        b,
        model=model,
        detector=configured_detector(detector, min_score, detail, turns),
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
    """Prints score, threshold and verdict. Returns the exit code: 0 for the same person, 1 for different people."""
    from facelet.runtime.people import subject
    from facelet.runtime.people.verify import compare

    analyzer = subject.identity_analyzer(model, detector, threads)
    result = compare(analyzer, a, b, threshold, largest)
    print_training_notes(analyzer.model.info)
    for note in result.notes:
        print(note, file=sys.stderr)
    if as_json:
        print(json.dumps({"model": str(analyzer.model.path), "photos": [a, b], **result.to_json()}))
    else:
        verdict = "[green]same person[/]" if result.same else "[yellow]different people[/]"
        console.print(f"score {result.score:.3f}, threshold {result.threshold:.3f}: {verdict}")
    return 0 if result.same else 1
