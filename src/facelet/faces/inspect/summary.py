"""The summary of a set of faces that ``facelet faces SOURCE`` prints, as data and as terminal output.

>>> description = describe(load("ferplus:ferplus.zip"))
>>> show(description, rich.console.Console())
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from facelet.faces.faceset import SPLITS, FaceSet, annotator_agreement
from facelet.faces.inspect.framing import Framing, framing
from facelet.faces.inspect.leaks import Leaks, Repeated, Shared, find_leaks, repetitions
from facelet.faces.inspect.overlap import overlap
from facelet.faces.loading import load_pairs
from facelet.faces.protocol import Protocol


@dataclass(frozen=True)
class FaceSetSummary:
    """Statistics of a set of faces.

    Attributes:
        protocol: source, rule, counts per split and class, split hash, notes.
        faces: number of faces.
        unlabelled: number of faces without a label.
        size: side of the faces in memory, in pixels.
        channels: channels of the faces in memory.
        identities: number of different known identities.
        groups: number of different known groups.
        agreement: split -> share of annotators who chose the label; empty for a set without votes.
        flat: number of faces of a single colour.
        leaks: faces and groups in two splits, and repetitions.
        licence: licence of the data.
        overlap: a sentence on people who are also in a set of pairs, "" if not requested.
        framing: check of a sample for cropped faces; None without the detector's file.
    """

    protocol: Protocol
    faces: int
    unlabelled: int
    size: int
    channels: int
    identities: int
    groups: int
    agreement: dict[str, float]
    flat: int
    leaks: Leaks
    licence: str
    overlap: str = ""
    framing: Framing | None = None

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "protocol": {**self.protocol.to_json(), "hash": self.protocol.hash}}


def describe(faces: FaceSet, near: bool = True, against: str = "") -> FaceSetSummary:
    """Summarises a set. ``near=False`` skips the search for near duplicates; ``against`` is a written source of pairs."""
    agreement = {}
    for number, split in enumerate(SPLITS):
        share = annotator_agreement(faces.take(np.flatnonzero(faces.splits == number)))
        if share is not None:
            agreement[split] = share
    return FaceSetSummary(
        protocol=faces.protocol,
        faces=len(faces),
        unlabelled=int((faces.labels < 0).sum()),
        size=faces.size,
        channels=faces.channels,
        identities=_different(faces.identities),
        groups=_different(faces.groups),
        agreement=agreement,
        flat=sum(int(image.min() == image.max()) for image in faces.images),
        leaks=find_leaks(faces, near),
        licence=faces.licence,
        overlap=str(overlap(faces, load_pairs(against, size=faces.size, channels=faces.channels))) if against else "",
        framing=framing(faces),
    )


def show(description: FaceSetSummary, console: Console) -> None:
    """Prints a summary: protocol, table of counts, facts, warnings."""
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
        console.print(Text(description.overlap))
    warnings = [*protocol.notes, *_warnings(description)]
    for warning in warnings:
        console.print(Text(f"! {warning}", style="yellow"))
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


def repeated_lines(repeated: Repeated) -> list[str]:
    """Repetitions within a split, as sentences."""
    lines, cases = [], "; ".join(f"{first} and {second}" for first, second in repeated.examples[:2])
    if repeated.copies:
        lines.append(
            f"{repeated.copies:,} {repeated.split} faces are copies, pixel by pixel, of another {repeated.split} face"
        )
    if repeated.relabelled:
        lines.append(f"{repeated.relabelled:,} {repeated.split} faces are also there under another label: {cases}")
    if repeated.near:
        shown = "" if repeated.relabelled else f": {cases}"
        more = "more " if repeated.relabelled else ""
        lines.append(
            f"{repeated.near:,} {more}{repeated.split} faces look the same as one under another label, "
            f"of {repeated.searched:,} compared{shown}"
        )
    return lines


def training_warnings(faces: FaceSet) -> list[str]:
    """Warnings to print before training on ``faces``, in addition to the notes of their protocol."""
    lines = [line for repeated in repetitions(faces) for line in repeated_lines(replace(repeated, copies=0))]
    report = framing(faces)
    return [*lines, *([report.warning] if report and report.warning else [])]


def _different(numbers: np.ndarray | None) -> int:
    return 0 if numbers is None else len(np.unique(numbers[numbers >= 0]))
