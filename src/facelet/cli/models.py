"""`facelet models`: lists, shows, copies and checks bundled models; also shows any other model file.

>>> entry("expression").info.figures["test_accuracy"]
>>> copied(entry("expression"), "phone/")
PosixPath('phone/expression.onnx')

Only ``--check`` runs models; everything else is read from the files' metadata.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from facelet.cli.options import Json, console
from facelet.errors import FaceletError
from facelet.models import bundled
from facelet.text import printable

if TYPE_CHECKING:
    from facelet.models.bundled import BundledModel
    from facelet.models.model_file import ModelInfo
    from facelet.runtime.check import Check

SUFFIX = ".onnx"
ACCURACY = "test_accuracy"
WIDE = 100
"""Minimum console width for the columns task and threshold."""


def models(
    name: Annotated[str, typer.Argument(help="Show this bundled model or model file.")] = "",
    copy: Annotated[str, typer.Option(help="Copy the model file to this folder or file.")] = "",
    check: Annotated[
        bool, typer.Option("--check", help="Run the self-test of each model on this machine; exit code 1 on failure.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the bundled models, show a model, copy its file, or check models on this machine."""
    code = command(name, copy=copy, check=check, as_json=as_json, console=console)
    if code:
        raise typer.Exit(code)


@dataclass(frozen=True)
class ModelEntry:
    """A model: its file, its metadata, and its line in the manifest, which is None if it is not bundled."""

    path: Path
    info: ModelInfo
    line: BundledModel | None = None

    @property
    def name(self) -> str:
        return self.line.name if self.line else self.info.name or self.path.stem

    @property
    def data(self) -> bytes:
        from facelet.models import model_file

        return model_file.content(self.path)

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``json.dumps``."""
        from facelet.models import saturation

        info, data = self.info, self.data
        line = {key: getattr(self.line, key, "") for key in ("description", "twin", "card")}
        return {
            "name": self.name,
            "task": info.task,
            "default": self.line is not None and self.name == info.task,
            **line,
            "file": str(self.path),
            "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
            "precision": info.precision,
            "target": info.target,
            "can_saturate": [str(risk) for risk in saturation.risks(data)],
            "self_test": info.selftest is not None,
            "params": info.params,
            "macs": info.macs,
            "size": info.input.size,
            "channels": info.input.channels,
            "measured_from": info.measured_from,
            "threshold": info.threshold,
            "figures": info.figures,
            "licence": info.licence,
        }


def entry(model: str | Path) -> ModelEntry:
    """Opens a model by file or name, see ``bundled.found``. Raises FaceletError if it is missing, damaged or another file."""
    from facelet.models import model_file

    path = bundled.found(model)
    return ModelEntry(path, model_file.read(path), bundled.entry_of(path))


def copied(model: ModelEntry, place: str | Path) -> Path:
    """Copies the model file to the folder ``place``, or to ``place`` if it ends in .onnx, and returns the path."""
    from facelet.io.files import writing

    target = Path(place)
    if target.is_dir() or target.suffix != SUFFIX:
        target /= (
            f"{model.line.name if model.line else model.path.stem}{SUFFIX}"  # not info.name, which may be any text
        )
    with writing(target) as beside:
        beside.write_bytes(model.data)
    return target


def command(name: str = "", *, copy: str = "", check: bool = False, as_json: bool = False, console: Console) -> int:
    """Prints the list, a model with its card, the path of a copy, or the results of the checks.

    Returns the exit code: 1 if a checked model fails on this machine.
    """
    if check:
        from facelet.runtime import check as checking

        checks = [checking.check(bundled.found(name))] if name else checking.check_bundled()
        if as_json:
            print(json.dumps({"machine": checking.machine(), "models": [model.to_json() for model in checks]}))
        else:
            console.print(_checks(checks, checking.machine()))
        return int(not all(model.works for model in checks))
    if copy and not name:
        raise FaceletError("--copy needs the name of a model, such as: facelet models expression --copy DIR")
    entries = [entry(name)] if name else [entry(bundled.path_of(model.name)) for model in bundled.models()]
    target = copied(entries[0], copy) if copy else None
    if as_json:
        documents = [model.to_json() for model in entries]
        if name:
            copy_ = {"copy": str(target)} if target else {}
            documents = [{**documents[0], **copy_, "metadata": entries[0].info.model_dump(mode="json")}]
        print(json.dumps(documents[0] if name else documents))
    elif target:
        console.print(f"{entries[0].name}: {len(entries[0].data):,} bytes in {target}", markup=False, soft_wrap=True)
    elif name:
        _show(entries[0], console)
    elif entries:
        _list(entries, console)
    else:
        console.print("this installation has no bundled models; make one with: facelet run tsnet", soft_wrap=True)
    return 0


def _list(entries: Sequence[ModelEntry], console: Console) -> None:
    """Prints a row per model, and below the table the licences of the training faces, which are long."""
    wide = console.width >= WIDE
    table = Table(box=None, pad_edge=False, header_style="dim", collapse_padding=not wide)
    titles = ("model", "task", "file", "params", "MACs", "input", "test accuracy", "of", "threshold")
    shown = [title for title in titles if wide or title not in ("task", "threshold")]
    for title in shown:
        left = title in ("model", "task", "test accuracy")
        table.add_column(title, justify="left" if left else "right", no_wrap=title != "test accuracy", overflow="fold")
    licences: dict[str, list[str]] = {}
    for model in entries:
        info = model.info
        accuracy, of = _accuracy(info)
        row = {
            "model": Text(model.name),
            "task": info.task,
            "file": f"{len(model.data) / 1e6:.2f} MB",
            "params": f"{info.params / 1e6:.2f} M",
            "MACs": f"{info.macs / 1e6:.1f} M",
            "input": f"{info.input.size} px",
            "test accuracy": accuracy,
            "of": of,
            "threshold": "" if info.threshold is None else f"{info.threshold:.3f}",
        }
        table.add_row(*(row[title] for title in shown))
        licences.setdefault(info.licence, []).append(model.name)
    console.print(table)
    narrow = [f"{model.name} for {model.info.target}" for model in entries if model.info.target not in ("", "portable")]
    if narrow:
        console.print(Text(f"not for every processor: {', '.join(narrow)}", "yellow"))
    for licence, names in licences.items():
        console.print(Text(f"training faces of {', '.join(names)}: {licence}", "dim"))


def _show(model: ModelEntry, console: Console) -> None:
    """Prints the metadata and the card of a model."""
    from facelet.runtime.check import runs_on

    info, size = model.info, len(model.data)
    others = {name: value for name, value in info.figures.items() if not name.startswith(ACCURACY)}
    figures = ", ".join(f"{name.replace('_', ' ')} {value:.6g}" for name, value in others.items())
    colour = "grey" if info.input.channels == 1 else "RGB"
    rows = {
        "file": f"{model.path}",
        "size": f"{size:,} bytes ({size / 1e6:.2f} MB); SHA-256 {hashlib.sha256(model.data).hexdigest()}",
        "task": f"{info.task}{': ' * bool(info.labels)}{', '.join(info.labels)}",
        "net": f"{info.net} {info.precision}; {info.params:,} parameters, {info.macs:,} multiply-accumulates per face",
        "runs on": runs_on(info, model.data),
        "self-test": f"{len(info.selftest.outputs)} golden faces, tolerance {info.selftest.tolerance:g}"
        if info.selftest
        else "none: cannot verify that outputs match the measured model",
        "input": f"{info.input.size} px, {colour}; cropped by {info.crop.align} with margin {info.crop.margin:g}"
        + (f" at {info.input.cut} px" if info.input.cut else ""),
        "measured from": f"{info.measured_from} px a side; smaller faces get a warning",
        "test accuracy": " of ".join(filter(None, _accuracy(info))),
        "figures": figures,
        "threshold": "" if info.threshold is None else f"{info.threshold:.4f}",
        "training faces": _faces(info.protocol),
        "beware": _notes(info.protocol),
        "licence": info.licence,
        "made by": ", ".join(filter(None, (info.recipe, info.step and f"step {info.step}", f"seed {info.seed}"))),
        "made with": ", ".join(f"{package} {version}" for package, version in info.made_with.items()),
        "in fp32": model.line.twin if model.line else "",
        "page": model.line.card if model.line else "",
    }
    about = model.line.description if model.line else ""
    console.print(Text.assemble((model.name, "bold"), f": {about}" if about else ""))
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for title, value in rows.items():
        if value:
            grid.add_row(title, Text(value))
    console.print(grid)
    if info.card:
        console.print(f"\n{printable(info.card.strip())}", markup=False, highlight=False, soft_wrap=True)


def _faces(protocol: dict[str, Any]) -> str:
    """Source, counts and split of the training faces; empty if the protocol has another form."""
    try:
        counts = ", ".join(f"{split} {sum(classes.values()):,}" for split, classes in protocol["counts"].items())
        return f"{protocol['source']}: {counts}; split hash {protocol['split_hash']}"
    except (AttributeError, KeyError, TypeError, ValueError):
        return ""


def _notes(protocol: dict[str, Any]) -> str:
    notes = protocol.get("notes")
    return "; ".join(map(str, notes)) if isinstance(notes, list | tuple) else ""


def _accuracy(info: ModelInfo) -> tuple[str, str]:
    """Test accuracy with its interval, and the number of faces or pairs; empty if it was not measured."""
    figures = info.figures
    if ACCURACY not in figures:
        return "", ""
    unit = "pairs" if "test_pairs" in figures else "faces"
    low, high = (figures.get(f"{ACCURACY}_{end}") for end in ("low", "high"))
    interval = "" if low is None or high is None else f" ({100 * low:.1f}–{100 * high:.1f})"
    return f"{figures[ACCURACY]:.1%}{interval}", f"{figures.get(f'test_{unit}', 0):,.0f} {unit}"


def _checks(checks: Sequence[Check], machine: str) -> Table:
    """Table with a row per model, and the machine as caption."""
    from facelet.models.saturation import LARGEST_PAIR
    from facelet.runtime.check import OK

    rows = Table(
        box=None,
        pad_edge=False,
        header_style="dim",
        collapse_padding=True,
        caption=f"{machine}\npair: largest sum of two weights that a kernel may add; safe everywhere up to "
        f"{LARGEST_PAIR}\nself-test: deviation of the outputs from the fp32 net's, and the allowed maximum",
        caption_justify="left",
    )
    for heading in ("model", "precision", "target"):
        rows.add_column(heading, no_wrap=True)
    for heading in ("pair", "self-test", "ms"):
        rows.add_column(heading, justify="right", no_wrap=True)
    rows.add_column("verdict", overflow="fold")
    for result in checks:
        measured = "" if result.deviation is None else f"{result.deviation:.2g} of {result.tolerance:.2g}"
        colour = "green" if result.verdict == OK else "yellow" if result.works else "red"
        verdict = f"[{colour}]{escape(result.verdict)}[/]"
        target = result.target or ("any" if result.precision == "fp32" else "unknown")
        rows.add_row(
            result.name, result.precision, target, str(result.pair or ""), measured, f"{result.ms:.0f}", verdict
        )
    return rows
