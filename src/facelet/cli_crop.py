"""The verb `crop` of `facelet`; a short function, no logic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from facelet.cli_options import Detail, DetectorFile, MinScore
from facelet.errors import FaceletError

if TYPE_CHECKING:
    from facelet.models.model_file import CropInfo

console = Console(highlight=False)


def crop(
    photos: Annotated[list[str], typer.Argument(help="Photos, folders or globs.")],
    out: Annotated[str, typer.Option(help="Folder to write the faces into, in the photos' sub-folders.")],
    like: Annotated[str, typer.Option(help="Cut as this recipe or model file says; what follows goes before it.")] = "",
    align: Annotated[str, typer.Option(help="box (when not given), eyes or five-points.")] = "",
    margin: Annotated[
        float | None, typer.Option(help="Share of the box (or square) added on each side; 0 when not given.")
    ] = None,
    size: Annotated[int | None, typer.Option(help="Side in pixels; 0, when not given: the photo's own.")] = None,
    largest: Annotated[bool, typer.Option("--largest", help="Of several faces in a photo cut the largest.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Of several faces in a photo cut every one.")] = False,
    min_score: MinScore = None,
    detail: Detail = None,
    jpeg: Annotated[int, typer.Option(help="Write JPEG of this quality, 1 to 100; 0: PNG.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that are there already.")] = False,
    detector: DetectorFile = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with every photo.")] = False,
) -> None:
    """Cut faces out of photos, ready to train on, as models cut them when they are used."""
    from facelet.runtime import crop as cropping
    from facelet.runtime.detector import configured

    if largest and every:
        raise FaceletError("take one of --largest and --all")
    known, own_size = _like(like)
    cropping.command(
        photos,
        out=out,
        cutter=cropping.FaceCropper(
            cropping.choose(known, align, margin),
            own_size if size is None else size,
            jpeg,
            "largest" if largest else "all" if every else "report",
            overwrite,
        ),
        detector=configured(detector, min_score, detail),
        as_json=as_json,
        console=console,
    )


def _like(name: str) -> tuple[CropInfo, int]:
    """Crop and size of a model file, a model that comes with Facelet, or a recipe; the defaults without a name."""
    from facelet.models import bundled, model_file

    if not name:
        return model_file.CropInfo(), 0
    if name.endswith(".onnx") or name in [model.name for model in bundled.models()]:
        info = model_file.read(name)
        return info.crop, info.input.cut_size
    from facelet.recipes import schema

    recipe = schema.load(name)
    return model_file.CropInfo(align=recipe.crop.align, margin=recipe.crop.margin or 0.0), recipe.faces.size
