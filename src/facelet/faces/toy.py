"""Toy faces: a made-up population of cartoons with identities, expressions and annotators; needs no files and no network.

Own work. Expressions are points in the space of ``cartoon.Expression``; a face lies somewhere between rest and one of them, often
with a little of another, and ten simulated annotators vote by how near each expression lies. Weak faces are honestly ambiguous, so
soft labels and teachers have something to say. Identities never cross splits; classes are as uneven as in photos from the web.

>>> faces = load("toy?faces=6000&seed=0&classes=8", size=48, channels=1)

Good for demos and tests of the whole pipeline; figures on it say nothing about faces of people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facelet.errors import FaceletError, unknown
from facelet.faces.cartoon import Expression, Floats, Person, View, render, rows
from facelet.faces.faceset import SPLITS, FaceSet
from facelet.faces.sources import SOURCES

CLASSES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
FREQUENCIES = np.array([0.26, 0.22, 0.14, 0.13, 0.11, 0.05, 0.05, 0.04])
SHARES = (0.7, 0.15, 0.15)
ANNOTATORS = 10
CHUNK = 16

PROTOTYPES = {
    "neutral": {},
    "happiness": dict(smile=1, stretch=0.5, open=0.55, teeth=0.7, squint=0.75, blush=0.5, brow_raise=0.15),
    "surprise": dict(brow_raise=1.3, lid_raise=0.9, open=1.3, stretch=-0.9),
    "sadness": dict(brow_tilt=1, brow_raise=0.1, lid_raise=-0.5, smile=-1.1, stretch=-0.3),
    "anger": dict(brow_tilt=-1.1, brow_raise=-0.7, frown=1, lid_raise=-0.2, squint=0.3, smile=-0.45, open=0.3, teeth=0.9),
    "disgust": dict(
        brow_tilt=-0.35, brow_raise=-0.4, squint=0.7, lid_raise=-0.3, wrinkle=1, sneer=1.2, smile=-0.7, smirk=0.4, teeth=0.3
    ),
    "fear": dict(brow_raise=0.8, brow_tilt=1.0, lid_raise=1.0, open=0.6, stretch=0.5, smile=-0.5, teeth=0.5),
    "contempt": dict(brow_odd=0.8, lid_raise=-0.6, squint=0.15, smirk=1.5, brow_raise=-0.05),
}
"""Each expression done fully; what is not named stays at rest."""
