"""Listings of labelled image files, and their conversion to a FaceSet.

Used by the source ``folder:`` in all its forms. Labels and splits are checked before the slow reading of pixels.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facelet.errors import FaceletError, nearest
from facelet.faces.faceset import SPLITS, FaceSet
from facelet.faces.reading.archive import Archive, suffix
from facelet.faces.reading.images import read_images
from facelet.faces.splits import ALIASES, split_by_name
from facelet.io.pixels import SUFFIXES


@dataclass(frozen=True)
class Listing:
    """N image files with their metadata.

    Attributes:
        files: names in the archive.
        names: names in the FaceSet.
        labels: label names.
        splits: indices into SPLITS, or None to split by name.
        groups: group names, "" unknown, or None.
        identities: names of the people, "" unknown, or None.
        notes: notes for the protocol.
    """

    files: Sequence[str]
    names: Sequence[str]
    labels: Sequence[str]
    splits: Sequence[int] | None = None
    groups: Sequence[str] | None = None
    identities: Sequence[str] | None = None
    notes: tuple[str, ...] = ()


def load_listing(
    archive: Archive,
    listing: Listing,
    *,
    size: int | None,
    channels: int | None,
    unreadable: str,
    classes: str,
    val: float,
    test: float,
    licence: str,
) -> FaceSet:
    """The FaceSet of a listing, ordered train, val, test.

    Raises FaceletError for unknown labels, for a class with a single face, and for files that cannot be read.
    """
    label_names = label_set(archive, listing.labels, classes)
    number_of = {name: number for number, name in enumerate(label_names)}
    labels = np.array([number_of[label] for label in listing.labels], np.int64)
    _no_single_faces(archive, listing, labels, label_names)
    names = np.array(listing.names)
    groups = _numbered(listing.groups)
    splits, notes = _splits(archive, listing, names, labels, groups, label_names, val, test)
    order = np.argsort(splits, kind="stable")
    images, whole, skipped = read_images(
        archive,
        [listing.files[row] for row in order],
        size=size,
        channels=channels,
        unreadable=unreadable,
        shown=names[order].tolist(),
    )
    rows = order[whole]
    identities = _numbered(listing.identities)
    return FaceSet(
        images=images,
        labels=labels[rows],
        splits=splits[rows],
        names=names[rows],
        classes=label_names,
        source="folder",
        groups=None if groups is None else groups[rows],
        identities=None if identities is None else identities[rows],
        rule="own splits" if listing.splits else f"split by name, val {val:g}, test {test:g}",
        notes=listing.notes + notes + skipped,
        licence=licence,
    )


def label_set(archive: Archive, labels: Sequence[str], classes: str) -> tuple[str, ...]:
    """``classes`` ("a,b,c") if given, else all labels, sorted, numerically if all are numbers.

    Raises FaceletError, with the nearest class, for a label that is not in ``classes``.
    """
    counts = Counter(labels)
    if not classes:
        numbers = all(label.isdecimal() for label in counts)
        return tuple(sorted(counts, key=lambda label: (int(label), label) if numbers else (0, label)))
    given = tuple(name.strip() for name in unicodedata.normalize("NFC", classes).split(","))
    if "" in given or len(set(given)) != len(given):
        raise FaceletError(f"classes={classes!r} should be names with commas between them, each once")
    wrong = [label for label in counts if label not in given]
    if wrong:
        close = nearest(wrong[0], given)
        raise FaceletError(
            f"{archive.path}: unknown label {wrong[0]!r} ({counts[wrong[0]]:,} faces)"
            + (f", did you mean {close!r}?" if close else ";")
            + f" the classes are {', '.join(given)}"
            + (f"; also unknown: {', '.join(map(repr, wrong[1:6]))}" if len(wrong) > 1 else "")
        )
    return given


def ignored_files(archive: Archive, top: str = "", depth: int = 0) -> tuple[str, ...]:
    """Note on the files beside the images, such as .heic: how many, and their kinds; () if there are none.

    Only files below ``top`` ("a/b/") and at least ``depth`` folders deeper count.
    """
    other = Counter(
        suffix(name) or "none"
        for name in archive.names
        if suffix(name) not in SUFFIXES and name.startswith(top) and name[len(top) :].count("/") >= depth
    )
    # Sorted, because Counter keeps equally frequent kinds in the order of the file names.
    kinds = ", ".join(sorted(other, key=lambda kind: (-other[kind], kind))[:5])
    return (f"{other.total():,} other file{'s' * (other.total() != 1)} ignored ({kinds})",) if other else ()


def common_top(files: Sequence[str], below: int = 2) -> str:
    """The common parent folders "a/b/" of all ``files``, leaving at least ``below`` levels (folder and file) below them."""
    parts = [file.split("/") for file in files]
    depth = min((len(part) for part in parts), default=0) - below
    top: list[str] = []
    for level in range(max(depth, 0)):
        names = {part[level] for part in parts}
        if len(names) > 1:
            break
        top.append(names.pop())
    return "".join(f"{name}/" for name in top)


def shared_top(files: Sequence[str]) -> str:
    """``common_top`` of a layout with class folders: stops before a folder named like a split."""
    top = common_top(files).split("/")[:-1]
    while top and top[-1].lower() in ALIASES:
        top.pop()
    return "".join(f"{name}/" for name in top)


def _no_single_faces(archive: Archive, listing: Listing, labels: NDArray[np.int64], classes: tuple[str, ...]) -> None:
    """Raises FaceletError for a class with a single face in training; classes that are only measured may have one."""
    single = [label for label, count in enumerate(np.bincount(labels, minlength=len(classes))) if count == 1]
    if listing.splits is not None:
        trained = labels[np.array(listing.splits) == SPLITS.index("train")]
        single = [label for label in single if label in trained]
    if single and len(labels) > 1:
        first = listing.files[int(np.flatnonzero(labels == single[0])[0])]
        others = f" (also {', '.join(repr(classes[label]) for label in single[1:])})" if len(single) > 1 else ""
        raise FaceletError(
            f"{archive.path}: class {classes[single[0]]!r} has a single face, {first}{others}; "
            "training and validation need one each: add faces or remove the class"
        )


def _splits(
    archive: Archive,
    listing: Listing,
    names: NDArray[np.str_],
    labels: NDArray[np.int64],
    groups: NDArray[np.int64] | None,
    classes: tuple[str, ...],
    val: float,
    test: float,
) -> tuple[NDArray[np.int8], tuple[str, ...]]:
    """Splits (N,) and notes. Without a validation split, a share of the training split becomes validation."""
    if listing.splits is None:
        try:
            return split_by_name(names.tolist(), labels, val=val, test=test, classes=classes, groups=groups), ()
        except FaceletError as error:
            raise FaceletError(f"{archive.path}: {error}") from None
    splits = np.array(listing.splits, np.int8)
    notes = []
    if (splits == 0).any() and not (splits == 1).any():
        train = np.flatnonzero(splits == 0)
        try:
            splits[train] = split_by_name(
                names[train].tolist(),
                labels[train],
                val=val,
                test=0.0,
                classes=classes,
                groups=None if groups is None else groups[train],
            )
        except FaceletError as error:
            raise FaceletError(f"{archive.path}: validation faces are taken from train, but {error}") from None
        notes.append(f"val is a share of {val:g} taken from train")
    if not (splits == SPLITS.index("test")).any():
        notes.append("no test split")
    return splits, tuple(notes)


def _numbered(names: Sequence[str] | None) -> NDArray[np.int64] | None:
    """Numbers of the names, in sorted order; "" is -1, unknown."""
    if names is None:
        return None
    numbers = {name: number for number, name in enumerate(sorted(set(names) - {""}))}
    return np.array([numbers.get(name, -1) for name in names], np.int64)
