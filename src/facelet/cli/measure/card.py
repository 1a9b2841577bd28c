"""`facelet card`: measures a model card, or prints the card stored in a model file."""

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
        list[str] | None,
        typer.Option(help="Labelled faces; repeatable. The first source is also used for the robustness tests."),
    ] = None,
    people: Annotated[
        str, typer.Option(help="UTKFace, such as faces:utkface.zip, for results by age, gender and race.")
    ] = "",
    pairs: Annotated[
        list[str] | None,
        typer.Option(
            help="For an identity model: pairs of faces, such as lfw:PATH; repeatable. Robustness tests use the first."
        ),
    ] = None,
    run: Annotated[str, typer.Option(help="Folder of the run that made the model file.")] = "",
    split: Annotated[str, typer.Option(help="Split of --faces: train, val or test.")] = "test",
    out: Annotated[str, typer.Option(help="Write the card to this file, such as model.md.")] = "",
    into_file: Annotated[bool, typer.Option("--into-file", help="Also store the card in the model file.")] = False,
    threads: Threads = 0,
    allow: Allow = False,
    plugin: Plugin = None,
) -> None:
    """Measure a model card (metrics, robustness, groups, training, limits), or print the card in the model file."""
    plugins.load_files(plugin or [])
    command(
        model,
        faces=faces or [],
        people=people,
        pairs=pairs or [],
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
    pairs: Sequence[str],
    run: str,
    split: str,
    out: str,
    into_file: bool,
    threads: int,
    errors: Console,
) -> None:
    """Measures a card and prints or writes it; without faces and pairs uses the card stored in the model file."""
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
