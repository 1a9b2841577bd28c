"""`facelet export`: a model file for another runtime, held by the parity gate."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from facelet import plugins
from facelet.cli.options import Allow, Json, Plugin, console
from facelet.text import megabytes

if TYPE_CHECKING:
    from facelet.deploy import Exported


def export(
    model: Annotated[str, typer.Argument(help="A model file, or the name of a bundled model.")],
    to: Annotated[str, typer.Option(help="Target: litert, ncnn, openvino, executorch or coreml.")],
    out: Annotated[str, typer.Option(help="File to write; default: the model's name, in the working directory.")] = "",
    allow: Allow = False,
    as_json: Json = False,
    plugin: Plugin = None,
) -> None:
    """Export a model to another runtime: files, metadata beside them, and the verdict of the parity gate."""
    plugins.load_files(plugin or [])
    from facelet.deploy import export as export_model

    exported = export_model(model, to, out, allow=allow)
    if as_json:
        print(json.dumps(exported.to_json()))
    else:
        show(exported, console)


def show(exported: Exported, console: Console) -> None:
    """Prints the written files, and what the gate measured."""
    *files, side = exported.files
    names = ", ".join(str(file) for file in files)
    console.print(f"{escape(names)}: {megabytes(exported.bytes)}, {exported.runtime}", soft_wrap=True)
    console.print(f"{escape(str(side))}: metadata", soft_wrap=True)
    if exported.verdict is None:
        console.print(
            f"not run here: the parity gate needs {exported.elsewhere}; repeat the command there to check the export",
            style="yellow",
        )
    else:
        word, style = ("passed", "green") if exported.verdict.passed else ("FAILED, written because of --allow", "red")
        console.print(f"parity gate {word}: {exported.verdict}", style=style, soft_wrap=True)
