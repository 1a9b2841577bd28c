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

ClassPrior = Annotated[
    str,
    typer.Option(
        "--prior",
        help="How frequent the classes are: training (as in the training faces), uniform, uniform^POWER (part of the way, "
        "0 to 1), or LABEL=SHARE,LABEL=SHARE.",
    ),
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
        help="Long side in pixels at which the detector sees the photo; default: 640, and large photos in tiles as well.",
    ),
]
TurnsChoice = Annotated[
    str,
    typer.Option(
        "--turns",
        help="Look for turned faces: auto (tilted faces, and photos without any), always, never; default: auto; in videos never.",
    ),
]
MinQuality = Annotated[
    float,
    typer.Option(
        "--min-quality",
        help="Leave out faces whose quality is lower, 0 to 1: the probability that the expression is right on such a face.",
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
    file: str | Path = "",
    score: float | None = None,
    detail: int | None = None,
    turns: str = "",
    frames: bool = False,
) -> Detector | str | Path:
    """Returns a detector argument for Analyzer: ``file``, opened on first use, or a Detector if a setting is given.

    ``frames``: it is for a video, whose frames have settings of their own.
    """
    given = {"score": score, "detail": detail, "turns": turns or None}
    if not frames and all(value is None for value in given.values()):
        return file
    from facelet.runtime.detector import FRAMES, Detector

    return Detector(
        file, **(FRAMES if frames else {}) | {name: value for name, value in given.items() if value is not None}
    )
