"""Faces come in. A source is a function registered in SOURCES; ``load`` finds it by its written form.

A source is written ``NAME[:PATH][?option=value&...]``: ``toy``, ``ferplus:ferplus.zip?rule=probability``,
``folder:my_faces``, ``pack:faces.pack``.
"""

from __future__ import annotations

from facelet.faces import ckplus, ferplus, folder, rafdb, toy, unpack  # noqa: F401  (they register themselves)
from facelet.faces.faceset import SPLITS, FaceSet, annotator_agreement
from facelet.faces.protocol import Protocol
from facelet.faces.sources import SOURCES, load, parse_source

__all__ = ["SOURCES", "SPLITS", "FaceSet", "Protocol", "annotator_agreement", "load", "parse_source"]
