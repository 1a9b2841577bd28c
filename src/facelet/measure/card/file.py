"""`facelet card`, and the card stored in a model file's metadata.

>>> put_into("student-int8.onnx", markdown(card))
>>> stored("student-int8.onnx") == facelet.load("student-int8.onnx").info.card
True

The card is not checked against the weights: it becomes wrong when the weights of the file are replaced later.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from facelet.errors import FaceletError
from facelet.io import files
from facelet.io.files import existing
from facelet.models import bundled, model_file
from facelet.text import plain, printable


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
    """Measures a card and prints it, or writes it to ``out`` or the model file; without sources, uses the file's stored card."""
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


def stored(model: str | Path) -> str:
    """Returns the card stored in a model file. Raises FaceletError when it has none."""
    info = model_file.read(model)
    if not info.card:
        wanted = "--pairs lfw:PATH" if info.task == "identity" else "--faces SOURCE"
        raise FaceletError(f"{model} has no card in it; measure one with: facelet card {model} {wanted}")
    return info.card


def put_into(model: str | Path, text: str) -> None:
    """Writes a card into a model file and replaces an existing one. Changes the file's SHA-256, but not its outputs.

    Raises FaceletError for a card longer than ``model_file.MAX_CARD``.
    """
    import onnx

    if len(text) > model_file.MAX_CARD:
        raise FaceletError(
            f"the card has {len(text):,} characters, and a model file takes {model_file.MAX_CARD:,}; keep it beside the file "
            "with --out, or measure on fewer sources"
        )
    path = existing(model, "model file")
    if path.resolve().parent == bundled.FOLDER.resolve():
        raise FaceletError(
            f"{path} comes with Facelet and is held to its hash; copy it first: facelet models {path.stem} --copy DIR"
        )
    model_file.write(onnx.load(str(path)), model_file.read(path).model_copy(update={"card": text}), path)
