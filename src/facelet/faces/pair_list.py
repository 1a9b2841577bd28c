"""``pairs.txt`` as LFW has it: which faces are compared, fold by fold (Huang et al. 2007, http://vis-www.cs.umass.edu/lfw/).

The first line is the number of folds and of pairs of each kind in a fold. Each fold is so many lines ``Name 1 4`` (one
person, two of the photos) and then as many ``Name 1 Other 3`` (two people).

>>> listed = parse_pairs(text, "pairs.txt")
>>> listed.pairs[0], bool(listed.same[0]), int(listed.folds[0])
(('Abel_Pacheco/Abel_Pacheco_0001', 'Abel_Pacheco/Abel_Pacheco_0004'), True, 0)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facelet.errors import FaceletError


@dataclass(frozen=True, eq=False)
class PairList:
    """P pairs of faces by name, ``Name/Name_0001`` without the suffix.

    Attributes:
        pairs: P times the two faces.
        same: bool (P,). folds: int64 (P,).
        each: pairs of each kind in a fold.
    """

    pairs: list[tuple[str, str]]
    same: NDArray[np.bool_]
    folds: NDArray[np.int64]
    each: int

    @property
    def faces(self) -> list[str]:
        """The faces that the pairs are made of, each once, sorted."""
        return sorted({face for pair in self.pairs for face in pair})


def parse_pairs(text: str, where: str) -> PairList:
    """Every line is held to its place in the list. Raises FaceletError that names ``where``, the line and what it should be."""
    lines = text.replace("\r\n", "\n").rstrip().split("\n")
    header = lines[0].split()
    if len(header) != 2 or not all(cell.isdecimal() for cell in header):
        raise FaceletError(
            f"{where}: its first line should be the folds and the pairs of each kind in one, as 10 300, "
            f"not {lines[0][:40]!r}"
        )
    folds, each = map(int, header)
    expected = 2 * folds * each
    if folds < 2 or not each or len(lines) - 1 != expected:
        raise FaceletError(
            f"{where}: {folds} folds of {each} + {each} pairs are {expected:,} lines, it has {len(lines) - 1:,}"
            + ("; two folds are the least" if folds < 2 else "")
        )
    place = np.arange(expected)
    same = place % (2 * each) < each
    pairs = [
        _pair(line.split(), together, f"{where}: line {number}")
        for number, (line, together) in enumerate(zip(lines[1:], same.tolist(), strict=True), 2)
    ]
    return PairList(pairs, same, place // (2 * each), each)


def _pair(cells: list[str], same: bool, where: str) -> tuple[str, str]:
    if len(cells) == (3 if same else 4):
        first, one, second, other = (cells[0], cells[1], cells[0], cells[2]) if same else cells
        if (first == second) != same or (same and one == other):
            raise FaceletError(f"{where} should be of {'two photos of one person' if same else 'two people'}")
        return _face(first, one, where), _face(second, other, where)
    form = "Name 1 4" if same else "Name 1 Other 3"
    raise FaceletError(f"{where} should read {form!r} at this place of its fold, not {' '.join(cells)[:60]!r}")


def _face(name: str, number: str, where: str) -> str:
    if not number.isdecimal() or not 0 < int(number) <= 9999:
        raise FaceletError(f"{where}: {number!r} should be the number of a photo, 1 to 9999")
    return f"{name}/{name}_{int(number):04d}"
