"""`facelet faces`: describes a set of faces with tables and warnings; draws a contact sheet; writes a pack."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from facelet import plugins
from facelet.cli.options import Json, Plugin, console, errors

if TYPE_CHECKING:
    from facelet.faces import Protocol
    from facelet.faces.inspect.leaks import Shared
    from facelet.faces.inspect.summary import FaceSetSummary


def faces(
    source: Annotated[str, typer.Argument(help="toy, ferplus:PATH, folder:PATH, identities:PATH, pack:FILE ...")],
    also: Annotated[list[str] | None, typer.Option(help="Another source, joined with the first; repeatable.")] = None,
    size: Annotated[int, typer.Option(help="Side in pixels; default: that of the source.")] = 0,
    sheet: Annotated[str, typer.Option(help="Write a contact sheet to this PNG file.")] = "",
    pack: Annotated[str, typer.Option(help="Write the faces to this pack file.")] = "",
    raw: Annotated[bool, typer.Option("--raw", help="With --pack: uncompressed, for memory-mapped reading.")] = False,
    against: Annotated[str, typer.Option(help="Pairs, such as lfw:PATH: report people who are in both, by name.")] = "",
    as_json: Json = False,
    plugin: Plugin = None,
) -> None:
    """Inspect faces before training: counts, protocol, leaks, contact sheet; or pack them into a file."""
    plugins.load_files(plugin or [])
    from facelet.faces import load
    from facelet.faces.concat import concat
    from facelet.faces.inspect.contact_sheet import save_sheet
    from facelet.faces.inspect.summary import describe
    from facelet.faces.sources.pack_writer import write_pack

    face_set = load(source, size=size or None)
    face_set = concat(
        [face_set, *(load(other, size=face_set.size, channels=face_set.channels) for other in also or [])]
    )
    description = describe(face_set, against=against)
    if as_json:
        print(json.dumps(description.to_json()))
    else:
        show(description, console)
    if sheet:
        save_sheet(face_set, sheet)
        errors.print(f"contact sheet in {sheet}", markup=False, soft_wrap=True)
    if pack:
        size_bytes = write_pack(face_set, pack, raw=raw)
        line = f"{len(face_set):,} faces in {pack}, {size_bytes / 1e6:.1f} MB; use it as pack:{pack}"
        errors.print(line, markup=False, soft_wrap=True)


def show(description: FaceSetSummary, console: Console) -> None:
    """Prints the protocol, the table of counts, and warnings."""
    protocol = description.protocol
    console.print(Text(str(protocol), style="bold"))
    console.print(_counts(protocol))
    colour = "grey" if description.channels == 1 else "RGB"
    facts = [f"{description.faces:,} faces", f"{description.size} x {description.size} px", colour]
    facts += [f"{description.identities:,} people"] if description.identities else []
    facts += [f"{description.groups:,} groups"] if description.groups else []
    facts += [f"{description.unlabelled:,} without label"] if description.unlabelled else []
    console.print(", ".join(facts))
    console.print(f"split hash {protocol.split_hash}; licence: {escape(description.licence)}")
    for split, share in description.agreement.items():
        console.print(f"An annotator agrees with the label on {share:.1%} of the {split} faces.")
    if description.overlap:
        console.print(Text(description.overlap), soft_wrap=True)
    warnings = [*protocol.notes, *_warnings(description)]
    for warning in warnings:
        console.print(Text(f"! {warning}", style="yellow"), soft_wrap=True)
    if not description.leaks.any:
        searched = any(shared.near is not None for shared in description.leaks.shared)
        console.print(Text(f"No {'leaks' if searched else 'exact duplicates'} between the splits.", style="green"))


def _counts(protocol: Protocol) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column("class", overflow="fold")
    for split in protocol.counts:
        table.add_column(split, justify="right")
    table.add_column("share", justify="right")
    total = sum(protocol.total(split) for split in protocol.counts)
    for name in protocol.classes:
        numbers = [protocol.counts[split][name] for split in protocol.counts]
        table.add_row(Text(name), *(f"{number:,}" for number in numbers), f"{sum(numbers) / max(total, 1):.1%}")
    sums = [f"{protocol.total(split):,}" for split in protocol.counts]
    table.add_row("all", *sums, "100%", style="bold")
    return table


def _warnings(description: FaceSetSummary) -> list[str]:
    from facelet.faces.inspect.summary import repeated_lines

    warnings = [line for shared in description.leaks.shared for line in _leak_lines(shared)]
    warnings += [line for repeated in description.leaks.repeated for line in repeated_lines(repeated)]
    if description.leaks.groups:
        warnings.append(f"{description.leaks.groups:,} groups have faces in more than one split")
    if description.framing and description.framing.warning:
        warnings.append(description.framing.warning)
    if description.flat:
        warnings.append(f"{description.flat:,} faces are one flat colour")
    return warnings


def _leak_lines(shared: Shared) -> list[str]:
    lines = []
    if shared.exact:
        differ = f" ({shared.relabelled:,} under another label)" if shared.relabelled else ""
        lines.append(f"{shared.exact:,} {shared.second} faces are pixel by pixel in {shared.first}{differ}")
    if shared.near:
        cases = "; ".join(f"{second} ~ {first}" for first, second, _ in shared.examples[:2])
        lines.append(
            f"{shared.near:,} more {shared.second} faces look the same as one in {shared.first}, "
            f"of {shared.searched:,} compared: {cases}"
        )
    return lines
