"""`facelet crop`: crops faces from photos into a folder with the same sub-folders, ready for training.

A photo with no face or with several faces is reported and not cropped; an unreadable photo is reported and skipped.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from facelet.cli.options import Detail, DetectorFile, MinScore, TurnsChoice, configured_detector, console
from facelet.cli.printing import with_progress
from facelet.errors import FaceletError
from facelet.text import plain

if TYPE_CHECKING:
    from pathlib import Path

    from facelet.models.model_file import CropInfo
    from facelet.runtime.crop import CropResult, FaceCropper
    from facelet.runtime.detector import Finder

LISTED = 5
"""Maximum number of photos listed per line of the summary."""


def crop(
    photos: Annotated[list[str], typer.Argument(help="Photos, folders or globs.")],
    out: Annotated[str, typer.Option(help="Output folder; keeps the sub-folders of the photos.")],
    like: Annotated[str, typer.Option(help="Crop as in this recipe or model file; other options override it.")] = "",
    align: Annotated[str, typer.Option(help="box, eyes or five-points; default: box.")] = "",
    margin: Annotated[
        float | None, typer.Option(help="Fraction of the box or square added on each side; default: 0.")
    ] = None,
    size: Annotated[
        int | None, typer.Option(help="Side in pixels; 0, the default, keeps the photo's resolution.")
    ] = None,
    largest: Annotated[bool, typer.Option("--largest", help="Crop the largest of several faces in a photo.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Crop all of several faces in a photo.")] = False,
    min_score: MinScore = None,
    detail: Detail = None,
    turns: TurnsChoice = "",
    jpeg: Annotated[int, typer.Option(help="JPEG quality, 1 to 100; 0 writes PNG.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
    detector: DetectorFile = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON with an entry for each photo.")] = False,
) -> None:
    """Crop faces from photos for training, with the same crop as at inference."""
    from facelet.runtime.crop import FaceCropper, choose

    if largest and every:
        raise FaceletError("use only one of --largest and --all")
    base, own_size = _like(like)
    command(
        photos,
        out=out,
        cutter=FaceCropper(
            choose(base, align, margin),
            own_size if size is None else size,
            jpeg,
            "largest" if largest else "all" if every else "report",
            overwrite,
        ),
        detector=configured_detector(detector, min_score, detail, turns),
        as_json=as_json,
        console=console,
    )


def _like(name: str) -> tuple[CropInfo, int]:
    """Crop and size of a model file, a bundled model or a recipe; without a name, the defaults."""
    from facelet.models import bundled, model_file

    if not name:
        return model_file.CropInfo(), 0
    if name.endswith(".onnx") or name in [model.name for model in bundled.models()]:
        info = model_file.read(bundled.found(name))
        return info.crop, info.input.cut_size
    from facelet.recipes import schema

    recipe = schema.load(name)
    return model_file.CropInfo(align=recipe.crop.align, margin=recipe.crop.margin or 0.0), recipe.faces.size


def command(
    places: Sequence[str],
    *,
    out: str,
    cutter: FaceCropper,
    detector: Finder | str | Path = "",
    as_json: bool = False,
    console: Console,
) -> None:
    """Crops the faces, writes them and prints a summary.

    Raises FaceletError when nothing was cropped: no photos, none readable, or none with a face.
    """
    from facelet.runtime.crop import outcomes, targets
    from facelet.runtime.detector import Detector
    from facelet.runtime.media import photos

    others: list[Path] = []
    placed = targets(places, out, others)
    find = detector if callable(detector) else Detector(detector)
    done = []
    for outcome in with_progress(outcomes(placed, cutter, find), len(placed)):
        if outcome.error and len(placed) > 1:
            print(f"skipped: {outcome.error}", file=sys.stderr)
        done.append(outcome)
    inside = os.path.join(os.path.abspath(out), "")
    others = [file for file in others if not os.path.abspath(file).startswith(inside)]
    for line in photos.passed_over(others):
        print(line, file=sys.stderr)
    if as_json:
        crop = {"align": cutter.crop.align, "margin": cutter.crop.margin, "size": cutter.size}
        passed = [plain(str(file)) for file in others]
        print(
            json.dumps(
                {"out": plain(out), **crop, "photos": [outcome.to_json() for outcome in done], "passed_over": passed}
            )
        )
    else:
        for line in summary(done, cutter, out):
            console.print(Text(line), soft_wrap=True)
    if all(outcome.error for outcome in done):
        first = done[0].error
        raise FaceletError(first if len(done) == 1 else f"none of the {len(done):,} photos can be read; {first}")
    if not any(outcome.faces for outcome in done):
        raise FaceletError(f"no face was cropped from {_count(len(done), 'photo')}")


def summary(done: Sequence[CropResult], cutter: FaceCropper, out: str) -> list[str]:
    """Lines of text: what was cropped, and what was not."""
    faces = [face for outcome in done for face in outcome.faces]
    read = sum(not outcome.error for outcome in done)
    how = f"{cutter.crop.align}, margin {cutter.crop.margin:g}, {f'{cutter.size} px' if cutter.size else 'own size'}"
    kind = f"JPEG of quality {cutter.jpeg}" if cutter.jpeg else "PNG"
    lines = [f"{_count(len(faces), 'face')} cropped from {_count(read, 'photo')} into {plain(out)} ({kind}; {how})"]
    small = sum(face.side < cutter.size for face in faces)
    if small:
        lines.append(f"{_count(small, 'face')} upscaled: smaller than {cutter.size} px in the photo")
    none = [outcome for outcome in done if not outcome.error and not outcome.found]
    if none:
        lines.append(f"{_count(len(none), 'photo')} without a face: {_listed(none)}")
    several = [outcome for outcome in done if outcome.found > 1]
    if several and cutter.several == "report":
        hint = "use --largest to crop the largest, or --all to crop all"
        lines.append(f"{_count(len(several), 'photo')} with several faces, not cropped: {_listed(several)}; {hint}")
    elif several and cutter.several == "largest":
        lines.append(f"{_count(len(several), 'photo')} with several faces, cropped the largest: {_listed(several)}")
    broken = [outcome for outcome in done if outcome.error]
    if broken:
        lines.append(f"{_count(len(broken), 'photo')} cannot be read: {_listed(broken)}")
    if faces:
        recipe = f"crop: {{align: {cutter.crop.align}, margin: {cutter.crop.margin:g}}}"
        lines.append(f"for training, set {recipe} in the recipe, so that the model uses the same crop at inference")
    return lines


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _listed(results: Sequence[CropResult]) -> str:
    return ", ".join(plain(str(result.photo)) for result in results[:LISTED]) + ", ..." * (len(results) > LISTED)
