"""The consoles, and the options that several commands share."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from pathlib import Path

    from facelet.runtime.detector import Detector

PIPED = 200
"""Columns of tables in files and pipes, which have no width of their own."""
console = Console(
    highlight=False, width=None if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit() else PIPED
)
"""Standard output."""
errors = Console(stderr=True, highlight=False)
"""Standard error."""


def _allow(context: typer.Context, allowed: bool) -> bool:
    """Holds for the whole command."""
    if allowed:
        from facelet.models.session import unproven_models_allowed

        context.with_resource(unproven_models_allowed())
    return allowed


Allow = Annotated[
    bool,
    typer.Option(
        "--allow", callback=_allow, help="Use a model although it saturates on this machine or fails its self-test."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Threads = Annotated[int, typer.Option(help="0: all cores.")]
Speed = Annotated[
    float | None,
    typer.Option(
        help="Of a model that stops early: 0 never does, 1 always does; default: the threshold stored in the model file."
    ),
]
Plugin = Annotated[
    list[str] | None,
    typer.Option(
        "--plugin", help="A Python file of yours that registers sources, nets, losses or steps; again for more."
    ),
]

DetectorFile = Annotated[
    str, typer.Option("--detector", help="YuNet's file; $FACELET_YUNET when not given, or fetched once.")
]
MinScore = Annotated[
    float | None,
    typer.Option("--min-score", help="Pass over faces that the detector scores lower, 0 to 1; 0.75 when not given."),
]
Detail = Annotated[
    int | None,
    typer.Option(
        "--detail",
        help="Long side of a photo as the detector sees it; 640 pixels when not given, 1280 for small faces.",
    ),
]

IdentityModel = Annotated[
    str,
    typer.Option(
        "--model", help="An identity model's file or name; $FACELET_IDENTITY_MODEL when not given, or identity."
    ),
]
GalleryFile = Annotated[
    str, typer.Option("--gallery", help="$FACELET_GALLERY when not given, else in the user's data folder.")
]
Threshold = Annotated[
    float | None, typer.Option(help="Cosine from which faces count as one person's; the model's own.")
]
Largest = Annotated[bool, typer.Option("--largest", help="Of several faces in a photo take the largest, and say so.")]
Every = Annotated[float, typer.Option(help="Of a video: look every so many seconds; 0: at every frame.")]


def configured_detector(
    file: str | Path = "", score: float | None = None, detail: int | None = None
) -> Detector | str | Path:
    """What an Analyzer takes: ``file`` itself, opened when first needed, or a Detector when a setting is given."""
    if score is None and detail is None:
        return file
    from facelet.runtime.detector import DETAIL, SCORE, Detector

    return Detector(file, SCORE if score is None else score, DETAIL if detail is None else detail)
