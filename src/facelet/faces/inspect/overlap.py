"""Overlap: people of a training set who are also among the pairs that a model is measured on, by their names.

>>> print(overlap(load("identities:people.zip"), load_pairs("lfw:lfw_112.zip")))
3 of 500 training people are among LFW's by name: Colin_Powell, Laura_Bush, Serena_Williams

Names are compared without case, accents, hyphens and order of words. Someone under another spelling is not found;
people who are numbered cannot be, and it says so.
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
    """People of ``source`` who are among those of ``measured``.

    Attributes:
        source, measured: names of the sources.
        people: how many there are in training.
        named: how many of those have names to compare; 0: nothing can be known.
        both: the folders of training people who are in both, sorted.
        example: a training person who has no name, "" when all have one.
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
            return f"Whether people of {measured} are in {self.source} cannot be known: it does not say who is who."
        if not self.named:
            return (
                f"Whether people of {measured} are among the {self.people:,} of {self.source} cannot be known: "
                f"they are numbered ({self.example}), not named."
            )
        some = f"; {self.people - self.named:,} more are numbered ({self.example})" if self.named < self.people else ""
        if not self.both:
            return f"None of {self.named:,} training people is among {measured}'s by name{some}."
        listed = ", ".join(self.both[:LISTED]) + (", ..." if len(self.both) > LISTED else "")
        return f"{len(self.both):,} of {self.named:,} training people are among {measured}'s by name: {listed}{some}"


def overlap(faces: FaceSet, pairs: PairSet) -> Overlap:
    """Looks in ``pairs`` for the people of ``faces``: their names are the folders that their faces lie in."""
    people = _people(faces)
    there = {_plain(name.split("/")[0]) for name in pairs.names.tolist()}
    named = [person for person in people if _is_name(person)]
    both = tuple(person for person in named if _plain(person) in there)
    example = next((person for person in people if not _is_name(person)), "")
    return Overlap(faces.source, pairs.source, len(people), len(named), both, example)


def _people(faces: FaceSet) -> list[str]:
    """Folder of each identity; none unless every identity has a folder to itself."""
    if faces.identities is None:
        return []
    known = faces.identities >= 0
    folders = [name.rpartition("/")[0].rsplit("/", 1)[-1] for name in faces.names[known].tolist()]
    pairs = set(zip(folders, faces.identities[known].tolist(), strict=True))
    people = sorted({folder for folder, _ in pairs} - {""})
    return people if len(people) == len(pairs) == len(np.unique(faces.identities[known])) else []


def _is_name(folder: str) -> bool:
    """Two letters or more in a row and no digit: not 000123, n000123, s12 or m.0gx4."""
    return re.search(r"[^\W\d_]{2}", folder) is not None and re.search(r"\d", folder) is None


def _plain(name: str) -> tuple[str, ...]:
    """Its words in the order of the alphabet, without case and accents."""
    letters = unicodedata.normalize("NFKD", name).casefold()
    return tuple(sorted(re.findall(r"[^\W\d_]+", "".join(c for c in letters if not unicodedata.combining(c)))))
