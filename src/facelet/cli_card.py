"""The verb `card` of `facelet`; a short function, no logic."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from facelet.cli_options import Allow, Plugin

errors = Console(stderr=True, highlight=False)


def card(
    model: Annotated[str, typer.Argument(help="A model file.")],
    faces: Annotated[
        list[str] | None, typer.Option(help="Labelled faces; again for more. The first is made worse, too.")
    ] = None,
    people: Annotated[str, typer.Option(help="UTKFace, as faces:utkface.zip: by age, gender and race.")] = "",
    pairs: Annotated[str, typer.Option(help="For an identity model: pairs of faces, as lfw:PATH.")] = "",
    run: Annotated[str, typer.Option(help="The folder of the run that made the file.")] = "",
    split: Annotated[str, typer.Option(help="Of --faces: train, val or test.")] = "test",
    out: Annotated[str, typer.Option(help="Write the card into this file, as model.md.")] = "",
    into_file: Annotated[bool, typer.Option("--into-file", help="Write the card into the model file, too.")] = False,
    threads: Annotated[int, typer.Option(help="0: all cores.")] = 0,
    allow: Allow = False,
    plugin: Plugin = None,
) -> None:
    """Measure a model card: figures, worse conditions, groups, how it was made, limits; or print the file's own."""
    from facelet import plugins
    from facelet.measure.card import file

    plugins.load_files(plugin or [])
    file.command(
        model,
        faces=faces or [],
        people=people,
        pairs=pairs,
        run=run,
        split=split,
        out=out,
        into_file=into_file,
        threads=threads,
        errors=errors,
    )
