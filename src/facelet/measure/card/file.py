"""The card that a model file keeps in its metadata.

>>> put_into("student-int8.onnx", markdown(card))
>>> stored("student-int8.onnx") == facelet.load("student-int8.onnx").info.card
True

The card is not checked against the weights: it becomes wrong when the weights of the file are replaced later.
"""

from __future__ import annotations

from pathlib import Path

from facelet.errors import FaceletError
from facelet.io.files import existing
from facelet.models import bundled, model_file


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
