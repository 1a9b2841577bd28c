"""Overlap between the people of a training set and those of a set of verification pairs, by name.

>>> print(overlap(load("identities:people.zip"), load_pairs("lfw:lfw_112.zip")))
3 of 500 training people are among LFW's by name: Colin_Powell, Laura_Bush, Serena_Williams

Names are compared without case, accents, hyphens and word order. Other spellings are not found; numbered people cannot be compared,
and the result says so.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

import numpy as np

from facelet.faces.faceset import FaceSet
from facelet.faces.pairset import PairSet

LISTED = 10


@dataclass(frozen=True)
class Overlap:
    """People of ``source`` who are also in ``measured``.

    Attributes:
        source: name of the training source.
        measured: name of the source of pairs.
        people: number of training people.
        named: number of training people with names; with 0 nothing can be compared.
        both: folders of the people in both, sorted.
        example: a training person without a name, or "".
    """

    source: str
    measured: str
    people: int
    named: int
    both: tuple[str, ...]
    example: str = ""

    def __str__(self) -> str:
        measured = self.measured.upper()
        if not self.people:
            return f"Whether people of {measured} are in {self.source} cannot be known: it has no identities."
        if not self.named:
            return (
                f"Whether people of {measured} are among the {self.people:,} of {self.source} cannot be known: "
                f"they are numbered ({self.example}), not named."
            )
        more = f"; {self.people - self.named:,} more are numbered ({self.example})" if self.named < self.people else ""
        if not self.both:
            return f"None of {self.named:,} training people is among {measured}'s by name{more}."
        listed = ", ".join(self.both[:LISTED]) + (", ..." if len(self.both) > LISTED else "")
        return f"{len(self.both):,} of {self.named:,} training people are among {measured}'s by name: {listed}{more}"


def overlap(faces: FaceSet, pairs: PairSet) -> Overlap:
    """Searches ``pairs`` for the people of ``faces``; a person's name is the folder of their faces."""
    people = _people(faces)
    there = {_plain(name.split("/")[0]) for name in pairs.names.tolist()}
    named = [person for person in people if _is_name(person)]
    both = tuple(person for person in named if _plain(person) in there)
    example = next((person for person in people if not _is_name(person)), "")
    return Overlap(faces.source, pairs.source, len(people), len(named), both, example)


def _people(faces: FaceSet) -> list[str]:
    """Folder of each identity; empty unless every identity has its own folder."""
    if faces.identities is None:
        return []
    known = faces.identities >= 0
    folders = [name.rpartition("/")[0].rsplit("/", 1)[-1] for name in faces.names[known].tolist()]
    pairs = set(zip(folders, faces.identities[known].tolist(), strict=True))
    people = sorted({folder for folder, _ in pairs} - {""})
    return people if len(people) == len(pairs) == len(np.unique(faces.identities[known])) else []


def _is_name(folder: str) -> bool:
    """Whether a folder has two or more letters in a row and no digit, unlike 000123, n000123, s12 or m.0gx4."""
    return re.search(r"[^\W\d_]{2}", folder) is not None and re.search(r"\d", folder) is None


def _plain(name: str) -> tuple[str, ...]:
    """The words of a name in alphabetical order, without case and accents."""
    letters = unicodedata.normalize("NFKD", name).casefold()
    return tuple(sorted(re.findall(r"[^\W\d_]+", "".join(c for c in letters if not unicodedata.combining(c)))))
