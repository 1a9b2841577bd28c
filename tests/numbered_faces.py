"""Faces whose first pixel is their number, and a model that looks its output up by it."""

from __future__ import annotations

import numpy as np

from facelet.faces import FaceSet

CLASSES = ("neutral", "happiness", "anger")


def faces_of(labels, classes=CLASSES, split=2):
    """Faces whose first pixel is their own number, so that a fake model can look its answer up."""
    n = len(labels)
    images = np.zeros((n, 2, 2, 1), np.uint8)
    images[:, 0, 0, 0] = np.arange(n) % 256
    names = np.array([f"{k:03}" for k in range(n)])
    return FaceSet(images, np.asarray(labels, np.int64), np.full(n, split, np.int8), names, classes, "mine")


def looking_up(probabilities):
    table = np.asarray(probabilities)
    return lambda images: table[images[:, 0, 0, 0].astype(int)]
