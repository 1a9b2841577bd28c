"""Face sets and their sources. A source is a function registered in SOURCES; ``load`` reads a source by its written form.

Sources of verification pairs are registered in PAIRS; ``load_pairs`` reads them.

A source is written ``NAME[:PATH][?option=value&...]``: ``toy``, ``ferplus:ferplus.zip?rule=probability``,
``folder:my_faces``, ``pack:faces.pack``.
"""

from __future__ import annotations

from facelet.faces import sources  # noqa: F401  (the import registers them)
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
