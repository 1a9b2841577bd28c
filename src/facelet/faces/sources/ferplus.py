"""FERPlus: FER2013's faces with the votes of ten annotators (Barsoum et al. 2016, https://arxiv.org/abs/1608.01041).

>>> faces = load("ferplus:ferplus.zip")                   # official majority rule, 8 classes
>>> faces = load("ferplus:fer2013_folder?rule=probability")

Reads the official layout (``FER2013{Train,Valid,Test}/ferNNNNNNN.png`` beside ``fer2013new.csv``) as a folder or a zip, or Kaggle's
``fer2013.csv`` or ``icml_face_data.csv`` beside ``fer2013new.csv``. PublicTest is the validation split, PrivateTest the test split.
The training split contains exact copies of a few hundred validation and test faces; ``facelet faces`` counts them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from facelet.errors import FaceletError, unknown
from facelet.faces.faceset import FaceSet
from facelet.faces.loading import SOURCES
from facelet.faces.reading.archive import Archive, open_archive
from facelet.faces.reading.images import UNREADABLE, counted, read_images

CLASSES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
VOTES_FILE = "fer2013new.csv"
PIXEL_FILES = ("fer2013.csv", "icml_face_data.csv")
USAGES = {"Training": "FER2013Train", "PublicTest": "FER2013Valid", "PrivateTest": "FER2013Test"}
LICENCE = "FERPlus labels MIT; FER2013 images for research only, their rights stay with the photographers"
SIDE = 48

Counts = NDArray[np.float32]


def majority(counts: Counts) -> tuple[NDArray[np.int64], Counts]:
    """Official majority rule: single votes are dropped, and the top label needs more than half of the remaining votes.

    Args:
        counts: (N, 10) votes for the eight classes, "unknown" and "not a face".

    Returns:
        Labels (N,), -1 where no class has the majority, and the votes (N, 8) as shares.
    """
    kept = np.where(counts <= 1, 0, counts)
    label = kept.argmax(axis=1)
    agreed = (kept.max(axis=1) > 0.5 * kept.sum(axis=1)) & (label < len(CLASSES))
    return np.where(agreed, label, -1), _shares(counts[:, : len(CLASSES)])


def majority_7(counts: Counts) -> tuple[NDArray[np.int64], Counts]:
    """``majority`` without faces labelled contempt and votes for contempt."""
    labels, _ = majority(counts)
    return np.where(labels < 7, labels, -1), _shares(counts[:, :7])


def probability(counts: Counts) -> tuple[NDArray[np.int64], Counts]:
    """Official probability rule: the top one to three labels are the target.

    Labels are added by rank until they have three quarters of the votes; labels of equal rank are added together. A face gets -1
    when its target has at most half of the votes, or when its top label is not a class.
    """
    labels = np.full(len(counts), -1, np.int64)
    targets = np.zeros((len(counts), len(CLASSES)), np.float32)
    for row, votes in enumerate(np.where(counts <= 1, 0, counts)):
        target = _top_labels(votes)
        if target.sum() > 0.5 * votes.sum() and np.count_nonzero(target) <= 3 and target.argmax() < len(CLASSES):
            labels[row], targets[row] = target.argmax(), target[: len(CLASSES)]
    return labels, _shares(targets)


RULES: dict[str, Callable[[Counts], tuple[NDArray[np.int64], Counts]]] = {
    "majority": majority,
    "majority-7": majority_7,
    "probability": probability,
}


@SOURCES.register("ferplus")
def ferplus(
    path: str,
    *,
    size: int | None = None,
    channels: int | None = None,
    rule: str = "majority",
    unreadable: str = "refuse",
) -> FaceSet:
    """FERPlus with ``rule`` "majority", "majority-7" (without contempt) or "probability".

    ``votes`` are the annotators' shares over the classes (for "probability" the official target), ``agreement`` is the share of
    all annotators who chose the label. Raises FaceletError for missing files, and for damaged ones unless ``unreadable`` is "skip".
    """
    if rule not in RULES:
        raise unknown("rule of face source 'ferplus'", rule, RULES)
    with open_archive(path) as archive:
        usages, names, counts = _votes(archive)
        labels, votes = RULES[rule](counts)
        rows = np.flatnonzero((labels >= 0) & (names != ""))
        pixel_file = _find(archive, PIXEL_FILES)
        if pixel_file:
            images, whole, notes = _kaggle(archive, pixel_file, rows, names, unreadable)
        else:
            images, whole, notes = _official(archive, rows, usages, names, size, channels, unreadable)
    rows = rows[whole]
    kept = labels[rows]
    return FaceSet(
        images=images,
        labels=kept,
        splits=usages[rows],
        names=names[rows],
        classes=CLASSES[: votes.shape[1]],
        source="ferplus",
        votes=votes[rows],
        agreement=(counts[rows, kept] / counts[rows].sum(axis=1)).astype(np.float32),
        rule=rule,
        notes=notes,
        licence=LICENCE,
    )


def _top_labels(votes: Counts) -> Counts:
    """The probability rule's target from votes (10,), before its acceptance check; a rank with no class ends the search."""
    left, target = votes.copy(), np.zeros_like(votes)
    while target.sum() < 0.75 * votes.sum() and np.count_nonzero(target) < 3:
        top = left.max()
        for label in np.flatnonzero(left == top):
            if label >= len(CLASSES):
                if not target.any():
                    target[label] = top
                return target
            target[label], left[label] = top, 0
    return target


def _shares(votes: Counts) -> Counts:
    return (votes / np.maximum(votes.sum(axis=1, keepdims=True), 1)).astype(np.float32)


def _find(archive: Archive, wanted: tuple[str, ...]) -> str:
    """The shallowest file with one of the ``wanted`` names, or ""."""
    matches = [name for name in archive.names if name.rsplit("/", 1)[-1].lower() in wanted]
    return min(matches, key=lambda name: (name.count("/"), name), default="")


def _votes(archive: Archive) -> tuple[NDArray[np.int8], NDArray[np.str_], Counts]:
    """Splits (N,), image names (N,), "" for a row without image, and votes (N, 10) of every row of FERPlus's table."""
    name = _find(archive, (VOTES_FILE,))
    if not name:
        raise FaceletError(
            f"{archive.path} has no {VOTES_FILE}; expected FERPlus's {VOTES_FILE} beside the folders "
            f"{', '.join(USAGES.values())} (or Kaggle's fer2013.csv), as a folder or a zip"
        )
    lines = list(csv.reader(io.StringIO(archive.read(name).decode("utf-8-sig", "replace"))))
    expected = ["usage", "image name", *CLASSES, "unknown", "nf"]
    if not lines or [column.strip().lower() for column in lines[0]] != expected:
        raise FaceletError(f"{archive.path}: {name} should have the columns {', '.join(expected)}")
    rows = [line for line in lines[1:] if line]
    splits = {usage: number for number, usage in enumerate(USAGES)}
    try:
        counts = np.array([row[2:12] for row in rows], np.float32).reshape(-1, 10)
        usages = np.array([splits[row[0]] for row in rows], np.int8)
    except (ValueError, KeyError) as error:
        raise FaceletError(f"{archive.path}: {name} is damaged ({error})") from None
    if not len(counts) or not (np.isfinite(counts).all() and (counts >= 0).all() and (counts.sum(axis=1) > 0).all()):
        raise FaceletError(f"{archive.path}: {name} is damaged: expected votes in every row")
    return usages, np.array([row[1].strip() for row in rows]), counts


def _official(
    archive: Archive,
    rows: NDArray[np.int64],
    usages: NDArray[np.int8],
    names: NDArray[np.str_],
    size: int | None,
    channels: int | None,
    unreadable: str,
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], tuple[str, ...]]:
    """Images of ``rows`` from the PNGs in FERPlus's folders, beside the table of votes or elsewhere in the archive."""
    base = _find(archive, (VOTES_FILE,))[: -len(VOTES_FILE)]
    folders = tuple(USAGES.values())
    if not any(name.startswith(f"{base}{folder}/") for name in archive.names for folder in folders):
        inside = [name for name in archive.images if name.split("/")[-2:-1] and name.split("/")[-2] in folders]
        if not inside:
            raise FaceletError(
                f"{archive.path} has FERPlus's votes but no faces: expected {', '.join(folders)} with PNGs, "
                "or Kaggle's fer2013.csv"
            )
        base = "/".join([*inside[0].split("/")[:-2], ""])
    files = [f"{base}{folders[usages[row]]}/{names[row]}" for row in rows]
    return read_images(
        archive, files, size=size or SIDE, channels=channels or 1, unreadable=unreadable, shown=names[rows].tolist()
    )


def _kaggle(
    archive: Archive, name: str, rows: NDArray[np.int64], names: NDArray[np.str_], unreadable: str
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], tuple[str, ...]]:
    """Images of ``rows`` from Kaggle's table, whose lines are in the same order as FERPlus's."""
    lines = io.StringIO(archive.read(name).decode("utf-8-sig", "replace"))
    header = [column.strip().lower() for column in next(csv.reader([lines.readline()]), [])]
    if "pixels" not in header:
        raise FaceletError(
            f"{archive.path}: {name} should have a column 'pixels', but has {', '.join(header) or 'nothing'}"
        )
    column = header.index("pixels")
    table = [line[column] if len(line) > column else "" for line in csv.reader(lines)]
    if len(table) != len(names):
        raise FaceletError(
            f"{archive.path}: {name} has {len(table):,} rows and {VOTES_FILE} {len(names):,}; expected one row per "
            "face in both, in the same order"
        )
    images = np.zeros((len(rows), SIDE, SIDE, 1), np.uint8)
    whole = np.ones(len(rows), bool)
    for number, row in enumerate(rows):
        try:
            values = np.array(table[row].split(), np.int64)
        except (ValueError, OverflowError):
            values = np.empty(0, np.int64)
        whole[number] = values.size == SIDE * SIDE and values.min() >= 0 and values.max() <= 255
        if whole[number]:
            images[number] = values.reshape(SIDE, SIDE, 1)
    if whole.all():
        return images, whole, ()
    wrong = [str(names[row]) for row in rows[~whole]]
    if unreadable != "skip":
        raise FaceletError(
            f"{archive.path}: {len(wrong):,} rows of {name} are not {SIDE} x {SIDE} values of 0-255: "
            f"{', '.join(wrong[:3])}; repair them, or skip them with ?unreadable=skip"
        )
    return images[whole], whole, (counted(UNREADABLE, wrong),)
