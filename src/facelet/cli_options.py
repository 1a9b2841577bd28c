"""Options that several verbs of `facelet` share."""

from __future__ import annotations

from typing import Annotated

import typer


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

Plugin = Annotated[
    list[str] | None,
    typer.Option(
        "--plugin", help="A Python file of yours that registers sources, nets, losses or steps; again for more."
    ),
]
