"""CK+ as CK+48: 981 peak frames of 118 subjects in seven classes (Lucey et al. 2010, https://doi.org/10.1109/CVPRW.2010.5543262).

>>> faces = load("ckplus:CK+48?fold=0")                   # ten folds by subject
>>> faces = load("ckplus:CK+48?fold=0&split=frames")      # as in many papers that report 99 %: leaky

Reads ``<class>/Sxxx_yyy_zzzzzzzz.png`` as a folder or a zip. The set has three nearly equal frames of each sequence, so a split
that ignores subjects tests on faces of the training set.
"""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from facelet.errors import FaceletError, unknown
from facelet.faces.faceset import FaceSet
from facelet.faces.loading import SOURCES
from facelet.faces.reading.archive import open_archive
from facelet.faces.reading.images import read_images
from facelet.faces.splits import hash_order

CLASSES = ("anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
OTHER_NAMES = {"happy": "happiness"}
LICENCE = "CK+: non-commercial research only, by agreement with its authors"
SIDE = 48
FOLDS = 10
FILE = re.compile(r"(?:.*/)?([^/]+)/((S\d+)_\d+_\d+)\.png", re.IGNORECASE)
LEAKY = "leaky: frames of one sequence are in train and test; not comparable with splits by subject"


@SOURCES.register("ckplus")
def ckplus(
    path: str,
    *,
    size: int | None = None,
    channels: int | None = None,
    fold: int = 0,
    split: str = "subject",
    unreadable: str = "refuse",
) -> FaceSet:
    """CK+48 in ten folds: fold ``fold`` is the test split, the next fold validation, the other eight train.

    Subjects, sorted by id, are assigned to the folds in turn; ``split="frames"`` assigns single frames instead and is noted as
    leaky. The folder "happy" is the class "happiness", as in other sets; groups and identities are subjects. Raises FaceletError
    when the layout is not found.
    """
    if split not in ("subject", "frames"):
        raise unknown("split of face source 'ckplus'", split, ("subject", "frames"))
    if not 0 <= fold < FOLDS:
        raise FaceletError(f"fold={fold} should be 0 to {FOLDS - 1}")
    with open_archive(path) as archive:
        matches = [(match[2], match, name) for name in archive.images if (match := FILE.fullmatch(name))]
        frames = sorted(matches, key=lambda frame: (frame[0], frame[2]))
        if not frames:
            raise FaceletError(
                f"{archive.path} is not CK+48: expected <class>/Sxxx_yyy_zzzzzzzz.png, anger/S010_004_00000017.png"
            )
        names = np.array([name for name, _, _ in frames])
        if len(set(names.tolist())) < len(names):
            twice = next(name for name, after in pairwise(names) if name == after)
            raise FaceletError(f"{archive.path}: {twice}.png is in it twice; every frame has one class")
        labels = np.array([_label(match[1]) for _, match, _ in frames], np.int64)
        _, subjects = np.unique([match[3].upper() for _, match, _ in frames], return_inverse=True)
        folds = subjects % FOLDS if split == "subject" else _frame_folds(names, labels)
        splits = np.where(folds == fold, 2, np.where(folds == (fold + 1) % FOLDS, 1, 0)).astype(np.int8)
        order = np.argsort(splits, kind="stable")
        images, whole, skipped = read_images(
            archive,
            [frames[row][2] for row in order],
            size=size or SIDE,
            channels=channels or 1,
            unreadable=unreadable,
            shown=names[order].tolist(),
        )
    rows = order[whole]
    return FaceSet(
        images=images,
        labels=labels[rows],
        splits=splits[rows],
        names=names[rows],
        classes=CLASSES,
        source="ckplus",
        identities=subjects[rows].astype(np.int64),
        groups=subjects[rows].astype(np.int64),
        rule=f"folds by {split}, fold {fold} of {FOLDS}",
        notes=((LEAKY,) if split == "frames" else ()) + skipped,
        licence=LICENCE,
    )


def _label(folder: str) -> int:
    name = OTHER_NAMES.get(folder.lower(), folder.lower())
    if name not in CLASSES:
        raise unknown("CK+ class folder", folder, (*CLASSES, *OTHER_NAMES))
    return CLASSES.index(name)


def _frame_folds(names: NDArray[np.str_], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Fold of each frame (N,): frames are assigned in turn, class by class, in the order of their names' hashes."""
    order = hash_order(names.tolist())
    order = order[np.argsort(labels[order], kind="stable")]
    folds = np.empty(len(names), np.int64)
    folds[order] = np.arange(len(names)) % FOLDS
    return folds
