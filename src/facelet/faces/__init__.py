"""Faces come in. A source is a function registered in SOURCES; ``load`` finds it by its written form.

Sources of pairs, to measure verification on, are in PAIRS and found by ``load_pairs``.

A source is written ``NAME[:PATH][?option=value&...]``: ``toy``, ``ferplus:ferplus.zip?rule=probability``,
``folder:my_faces``, ``pack:faces.pack``.
"""

from __future__ import annotations

from facelet.faces import (  # noqa: F401  (they register themselves)
    ckplus,
    ferplus,
    folder,
    identities,
    lfw,
    rafdb,
    toy,
    unlabelled,
    unpack,
)
from facelet.faces.faceset import SPLITS, FaceSet, annotator_agreement
from facelet.faces.pairs import PairSet
from facelet.faces.protocol import Protocol
from facelet.faces.sources import PAIRS, SOURCES, load, load_pairs, parse_source

__all__ = [
    "PAIRS",
    "SOURCES",
    "SPLITS",
    "FaceSet",
    "PairSet",
    "Protocol",
    "annotator_agreement",
    "load",
    "load_pairs",
    "parse_source",
]
