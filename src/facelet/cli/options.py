"""Consoles, and options shared by several commands."""

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
"""Width of tables in files and pipes, in columns."""
console = Console(
    highlight=False, width=None if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit() else PIPED
)
"""Console of standard output."""
errors = Console(stderr=True, highlight=False)
"""Console of standard error."""


def _allow(context: typer.Context, allowed: bool) -> bool:
    """Allows unproven models for the rest of the command."""
    if allowed:
        from facelet.models.session import unproven_models_allowed

        context.with_resource(unproven_models_allowed())
    return allowed


Allow = Annotated[
    bool,
    typer.Option(
        "--allow", callback=_allow, help="Use a model even if it saturates on this machine or fails its self-test."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Threads = Annotated[int, typer.Option(help="Number of ONNX Runtime threads; 0 uses all cores.")]
Speed = Annotated[
    float | None,
    typer.Option(
        help="For early-exit models: 0 never exits early, 1 always does; default: the threshold stored in the model file."
    ),
]
Plugin = Annotated[
    list[str] | None,
    typer.Option("--plugin", help="Python file that registers sources, nets, losses or steps; repeatable."),
]

DetectorFile = Annotated[
    str, typer.Option("--detector", help="YuNet's file; default: $FACELET_YUNET, else downloaded once.")
]
MinScore = Annotated[
    float | None,
    typer.Option("--min-score", help="Minimum detector score of a face, 0 to 1; default: 0.75."),
]
Detail = Annotated[
    int | None,
    typer.Option(
        "--detail",
        help="Long side of the detector's input in pixels; default: 640. Use 1280 for small faces.",
    ),
]

IdentityModel = Annotated[
    str,
    typer.Option("--model", help="Identity model: file or name; default: $FACELET_IDENTITY_MODEL, else identity."),
]
GalleryFile = Annotated[
    str,
    typer.Option(
        "--gallery",
        help="Gallery: a file, or postgresql://USER:PASSWORD@HOST/DATABASE; default: $FACELET_GALLERY, else gallery.db in the "
        "user's data folder.",
    ),
]
GalleryKey = Annotated[
    str,
    typer.Option(
        "--gallery-key", help="File with the key of an encrypted gallery; default: the key in $FACELET_GALLERY_KEY."
    ),
]
Threshold = Annotated[
    float | None,
    typer.Option(help="Minimum cosine of faces of the same person; default: the threshold stored in the model file."),
]
Largest = Annotated[bool, typer.Option("--largest", help="Use the largest of several faces in a photo, with a note.")]
Every = Annotated[float, typer.Option(help="Seconds between analyzed frames of a video; 0 analyzes every frame.")]


def configured_detector(
    file: str | Path = "", score: float | None = None, detail: int | None = None
) -> Detector | str | Path:
    """Returns a detector argument for Analyzer: ``file``, opened on first use, or a Detector if a setting is given."""
    if score is None and detail is None:
        return file
    from facelet.runtime.detector import DETAIL, SCORE, Detector

    return Detector(file, SCORE if score is None else score, DETAIL if detail is None else detail)
