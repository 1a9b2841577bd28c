"""RAF-DB, basic expressions: 15,339 aligned colour faces in seven classes (Li et al. 2017, http://www.whdeld.cn/raf/model1.html).

>>> faces = load("rafdb:DATASET.zip", size=100)

Reads ``basic/Image/aligned/*_aligned.jpg`` with ``basic/EmoLabel/list_patition_label.txt`` (sic), or
``DATASET/{train,test}/{1..7}/*.jpg``, as a folder or a zip. There is no official validation split: a stratified share of train
is used, so models have fewer training faces than published ones that train on all of them.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from facelet.errors import FaceletError
from facelet.faces.faceset import FaceSet
from facelet.faces.loading import SOURCES
from facelet.faces.reading.archive import Archive, open_archive
from facelet.faces.reading.images import read_images
from facelet.faces.splits import split_by_name

CLASSES = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")
LICENCE = "RAF-DB: non-commercial research only, by agreement with its authors"
SIDE = 100
MARGIN = -0.08
"""The faces are cropped slightly closer than YuNet's box."""
LABEL_FILE = "list_patition_label.txt"
BY_FOLDER = re.compile(r"(?:.*/)?(train|test)/([1-7])/([^/]+)\.(?:jpg|png)", re.IGNORECASE)
LABEL_LINE = re.compile(r"((train|test)_\w+)\.jpg\s+([1-7])")


@SOURCES.register("rafdb")
def rafdb(
    path: str,
    *,
    size: int | None = None,
    channels: int | None = None,
    val: float = 0.2,
    test: float = 0.0,
    agreement: float = 1.0,
    unreadable: str = "refuse",
) -> FaceSet:
    """RAF-DB basic, with a stratified share ``val`` of train as validation; by default 100 px and RGB.

    ``test``: share of train to test on when the official test faces are missing; such figures are not comparable.
    ``agreement``: below 1, faces get votes: this share for their label, the rest spread evenly over the other classes. RAF-DB does
    not publish the votes of its forty annotators, and unanimous votes would be overconfident beside a set with real votes.
    Both layouts give the same protocol. Raises FaceletError when the layout is not found or files are damaged.
    """
    if not 1 / len(CLASSES) < agreement <= 1:
        raise FaceletError(f"option agreement={agreement:g} should be above {1 / len(CLASSES):.2g} and at most 1")
    with open_archive(path) as archive:
        entries = _by_label_file(archive) or _by_folder(archive)
        if not entries:
            raise FaceletError(
                f"{archive.path} is not RAF-DB: expected basic/EmoLabel/{LABEL_FILE} beside basic/Image/aligned, "
                "or DATASET/{train,test}/{1..7}/*.jpg"
            )
        entries.sort(key=lambda face: (face[1] == "test", face[0]))
        names = np.array([name for name, *_ in entries])
        labels = np.array([label - 1 for _, _, label, _ in entries], np.int64)
        splits = np.array([2 * (split == "test") for _, split, _, _ in entries], np.int8)
        if len(set(names.tolist())) < len(names):
            raise FaceletError(f"{archive.path}: RAF-DB faces are in it twice; give the folder that holds them once")
        official = bool((splits == 2).any())
        if test and official:
            raise FaceletError(f"{archive.path} has RAF-DB's own test faces: leave test={test:g} out")
        train = np.flatnonzero(splits == 0)
        if (val or test) and len(train):
            splits[train] = split_by_name(names[train].tolist(), labels[train], val=val, test=test, classes=CLASSES)
        order = np.argsort(splits, kind="stable")
        images, whole, skipped = read_images(
            archive,
            [entries[row][3] for row in order],
            size=size or SIDE,
            channels=channels or 3,
            unreadable=unreadable,
            shown=names[order].tolist(),
        )
    rows = order[whole]
    notes: tuple[str, ...] = ()
    if not official:
        only = "only RAF-DB's training faces are there"
        notes = (f"test is a share of {test:g} of train: {only}" if test else f"no test split: {only}",)
    return FaceSet(
        images=images,
        labels=labels[rows],
        splits=splits[rows],
        names=names[rows],
        classes=CLASSES,
        source="rafdb",
        votes=_votes(labels[rows], agreement) if agreement < 1 else None,
        rule=f"val {val:g}{f', test {test:g}' if test else ''} of train" if len(train) else "",
        notes=notes + skipped,
        licence=LICENCE,
        margin=MARGIN,
    )


def _votes(labels: NDArray[np.int64], agreement: float) -> NDArray[np.float32]:
    """(N, 7) shares: ``agreement`` for each face's label, the rest spread evenly over the other classes."""
    votes = np.full((len(labels), len(CLASSES)), (1 - agreement) / (len(CLASSES) - 1), np.float32)
    votes[np.arange(len(labels)), labels] = agreement
    return votes


Entries = list[tuple[str, str, int, str]]
"""Name, "train" or "test", label 1-7, file."""


def _by_label_file(archive: Archive) -> Entries:
    label_file = next((name for name in archive.names if name.rsplit("/", 1)[-1] == LABEL_FILE), None)
    if label_file is None:
        return []
    files = {name.rsplit("/", 1)[-1].rsplit(".", 1)[0]: name for name in archive.images}
    entries: Entries = []
    for number, line in enumerate(archive.read(label_file).decode("utf-8", "replace").split("\n"), 1):
        if not line.strip():
            continue
        match = LABEL_LINE.fullmatch(line.strip())
        if not match:
            raise FaceletError(
                f"{archive.path}: {label_file} line {number} should read 'train_00001.jpg 5', not {line[:40]!r}"
            )
        name = f"{match[1]}_aligned"
        if name not in files:
            raise FaceletError(f"{archive.path}: {name}.jpg is missing, though {label_file} lists it")
        entries.append((name, match[2], int(match[3]), files[name]))
    return entries


def _by_folder(archive: Archive) -> Entries:
    matches = [(name, BY_FOLDER.fullmatch(name)) for name in archive.images]
    return [(match[3], match[1].lower(), int(match[2]), name) for name, match in matches if match]
