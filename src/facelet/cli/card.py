"""`facelet card`: measures a model card, or prints the one in a model file."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console

from facelet import plugins
from facelet.cli.options import Allow, Plugin, Threads, errors
from facelet.text import plain, printable


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
    threads: Threads = 0,
    allow: Allow = False,
    plugin: Plugin = None,
) -> None:
    """Measure a model card: figures, worse conditions, groups, how it was made, limits; or print the file's own."""
    plugins.load_files(plugin or [])
    command(
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


def command(
    model: str,
    *,
    faces: Sequence[str],
    people: str,
    pairs: str,
    run: str,
    split: str,
    out: str,
    into_file: bool,
    threads: int,
    errors: Console,
) -> None:
    """Makes a card and prints it, or writes it into ``out`` and the model file; without faces and pairs the file's own card."""
    from facelet.io import files
    from facelet.measure.card.file import put_into, stored
    from facelet.models.bundled import found

    model = str(found(model))
    if faces or pairs or people or run or into_file:
        from facelet.measure.card.card import measured
        from facelet.measure.card.markdown import markdown
        from facelet.measure.ledger.shareable import shareable_command

        with errors.status("reading") as status:
            card = measured(
                model,
                faces=faces,
                people=people,
                pairs=pairs,
                run=run,
                split=split,
                threads=threads,
                say=status.update,
                command=shareable_command(shlex.join(["facelet", *sys.argv[1:]])),
            )
        text = plain(markdown(card))
    else:
        text = stored(model)
    if out:
        files.write_text(out, text)
        errors.print(f"card in {out}", markup=False, soft_wrap=True)
    if into_file:
        put_into(model, text)
        errors.print(f"card in the metadata of {model}", markup=False, soft_wrap=True)
    if not (out or into_file):
        print(printable(text), end="")
