from __future__ import annotations

import zlib

import numpy as np

from facelet.faces.cartoon.golden import SHADES, golden_faces

CHECKSUMS = [3070178656, 2532422908]


def test_every_machine_draws_the_same_golden_faces():
    """Their bytes are fixed: a change here would be a change of every file's self-test."""
    assert [zlib.crc32(golden_faces(channels).tobytes()) for channels in (1, 3)] == CHECKSUMS


def test_they_have_few_shades_and_are_drawn_once():
    faces = golden_faces(1)
    assert len(np.unique(faces)) <= SHADES
    assert golden_faces(1) is faces
