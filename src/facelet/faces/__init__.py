"""Faces come in. A source is a function registered in SOURCES; ``load`` finds it by its written form.

Sources of pairs, to measure verification on, are in PAIRS and found by ``load_pairs``.

A source is written ``NAME[:PATH][?option=value&...]``: ``toy``, ``ferplus:ferplus.zip?rule=probability``,
``folder:my_faces``, ``pack:faces.pack``.
"""

from __future__ import annotations

from facelet.faces import sources  # noqa: F401  (they register themselves)
from facelet.faces.faceset import SPLITS, FaceSet, annotator_agreement
from facelet.faces.loading import PAIRS, SOURCES, load, load_pairs, parse_source
from facelet.faces.pairset import PairSet
from facelet.faces.protocol import Protocol

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
