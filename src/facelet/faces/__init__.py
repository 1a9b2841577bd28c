"""Faces come in. A source is a function registered in SOURCES; ``load`` finds it by its written form.

A source is written ``NAME[:PATH][?option=value&...]``: ``toy``, ``ferplus:ferplus.zip?rule=probability``, ``pack:faces.pack``.
"""

from __future__ import annotations

from facelet.faces import ckplus, ferplus, folder, pack, rafdb
from facelet.faces.faceset import SPLITS, FaceSet
from facelet.faces.protocol import Protocol
from facelet.faces.sources import SOURCES, load, parse_source

__all__ = ["SOURCES", "SPLITS", "FaceSet", "Protocol", "load", "parse_source"]
