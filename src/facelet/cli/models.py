"""`facelet models`: lists, shows, copies and checks the models that come with Facelet; shows a model file of one's own, too.

>>> entry("expression").info.figures["test_accuracy"]
>>> copied(entry("expression"), "phone/")
PosixPath('phone/expression.onnx')

No model is started except by ``--check``: everything else is what the files say about themselves.
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
"""Columns of a console that has room for what a name tells already, the task, and for thresholds."""


def models(
    name: Annotated[str, typer.Argument(help="Show this one; a model file too.")] = "",
    copy: Annotated[str, typer.Option(help="Write its file into this folder, or as this file.")] = "",
    check: Annotated[
        bool, typer.Option("--check", help="Run the self-test of each model on this machine; exit code 1 if one fails.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the models that come with Facelet, show one, copy its file, or check them on this machine."""
    code = command(name, copy=copy, check=check, as_json=as_json, console=console)
    if code:
        raise typer.Exit(code)


@dataclass(frozen=True)
class ModelEntry:
    """A model: its file, what it says about itself, and its line in the manifest, None for a file of the user's own."""

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
    """A model by its file or name, see ``bundled.found``. Raises FaceletError for what is missing, damaged or not ours."""
    from facelet.models import model_file

    path = bundled.found(model)
    return ModelEntry(path, model_file.read(path), bundled.entry_of(path))


def copied(model: ModelEntry, place: str | Path) -> Path:
    """Where the model's file now is too: in the folder ``place``, or as ``place`` when that ends in .onnx."""
    from facelet.io.files import writing

    target = Path(place)
    if target.is_dir() or target.suffix != SUFFIX:
        target /= f"{model.line.name if model.line else model.path.stem}{SUFFIX}"  # not what a file calls itself
    with writing(target) as beside:
        beside.write_bytes(model.data)
    return target


def command(name: str = "", *, copy: str = "", check: bool = False, as_json: bool = False, console: Console) -> int:
    """Prints the list, or one model and its card, or where its file was copied to, or what ``check`` finds.

    The exit code: 1 when a checked model computes wrongly on this machine.
    """
    if check:
        from facelet.runtime import check as checking

        found = [checking.check(bundled.found(name))] if name else checking.check_bundled()
        if as_json:
            print(json.dumps({"machine": checking.machine(), "models": [model.to_json() for model in found]}))
        else:
            console.print(_checks(found, checking.machine()))
        return int(not all(model.works for model in found))
    if copy and not name:
        raise FaceletError("--copy needs the name of a model, as in: facelet models expression --copy DIR")
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
        console.print("no model comes with this Facelet; make one with: facelet run tsnet")
    return 0


def _list(entries: Sequence[ModelEntry], console: Console) -> None:
    """A line a model, and under them the licences of their training faces, which are long."""
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
    """What the file says, field by field, then its card."""
    from facelet.runtime.check import runs_on

    info, size = model.info, len(model.data)
    others = {name: value for name, value in info.figures.items() if not name.startswith(ACCURACY)}
    figures = ", ".join(f"{name.replace('_', ' ')} {value:.6g}" for name, value in others.items())
    colour = "grey" if info.input.channels == 1 else "RGB"
    rows = {
        "file": f"{model.path}",
        "size": f"{size:,} bytes ({size / 1e6:.2f} MB); SHA-256 {hashlib.sha256(model.data).hexdigest()}",
        "task": f"{info.task}{': ' * bool(info.labels)}{', '.join(info.labels)}",
        "net": f"{info.net} {info.precision}; {info.params:,} parameters, {info.macs:,} multiply-accumulates a face",
        "runs on": runs_on(info, model.data),
        "self-test": f"{len(info.selftest.outputs)} golden faces, tolerance {info.selftest.tolerance:g}"
        if info.selftest
        else "none: nothing shows that a machine computes it as it was measured",
        "input": f"{info.input.size} px, {colour}; cut out by {info.crop.align} with a margin of {info.crop.margin:g}"
        + (f" at {info.input.cut} px" if info.input.cut else ""),
        "measured from": f"{info.measured_from} px a side; smaller faces are answered with a warning",
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
    """Source, counts and split of the faces that a model was made with; empty where its file does not say it as ours do."""
    try:
        counts = ", ".join(f"{split} {sum(classes.values()):,}" for split, classes in protocol["counts"].items())
        return f"{protocol['source']}: {counts}; split hash {protocol['split_hash']}"
    except (AttributeError, KeyError, TypeError, ValueError):
        return ""


def _notes(protocol: dict[str, Any]) -> str:
    notes = protocol.get("notes")
    return "; ".join(map(str, notes)) if isinstance(notes, list | tuple) else ""


def _accuracy(info: ModelInfo) -> tuple[str, str]:
    """With its interval, and what it is of; both empty for a file that was never measured."""
    figures = info.figures
    if ACCURACY not in figures:
        return "", ""
    unit = "pairs" if "test_pairs" in figures else "faces"
    low, high = (figures.get(f"{ACCURACY}_{end}") for end in ("low", "high"))
    interval = "" if low is None or high is None else f" ({100 * low:.1f}–{100 * high:.1f})"
    return f"{figures[ACCURACY]:.1%}{interval}", f"{figures.get(f'test_{unit}', 0):,.0f} {unit}"


def _checks(checks: Sequence[Check], machine: str) -> Table:
    """A row a model, under them the machine."""
    from facelet.models.saturation import LARGEST_PAIR
    from facelet.runtime.check import OK

    rows = Table(
        box=None,
        pad_edge=False,
        header_style="dim",
        collapse_padding=True,
        caption=f"{machine}\npair: the largest sum of two weights that a kernel may add; safe everywhere up to "
        f"{LARGEST_PAIR}\nself-test: deviation of the outputs from the fp32 net's, and the largest allowed",
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
        target = result.target or ("any" if result.precision == "fp32" else "not said")
        rows.add_row(
            result.name, result.precision, target, str(result.pair or ""), measured, f"{result.ms:.0f}", verdict
        )
    return rows
