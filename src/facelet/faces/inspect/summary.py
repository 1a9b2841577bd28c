"""Summary of a set of faces: counts, protocol, leaks, framing.

>>> description = describe(load("ferplus:ferplus.zip"))
>>> description.protocol.counts["train"]
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from facelet.faces.faceset import SPLITS, FaceSet, annotator_agreement
from facelet.faces.inspect.framing import Framing, framing
from facelet.faces.inspect.leaks import Leaks, Repeated, find_leaks, repetitions
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
