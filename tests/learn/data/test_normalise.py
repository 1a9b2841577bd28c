from __future__ import annotations

import numpy as np
import pytest
import torch

from facelet.io import pixels
from facelet.learn.data.normalise import Normalise, resized
from facelet.nets import NetSpec


def test_normalise_fits_size_and_colour():
    grey = torch.rand(2, 1, 8, 8)
    spec = NetSpec("resnet18", 3, size=16, channels=3, mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 1.0))
    found = Normalise(spec)(grey)
    assert found.shape == (2, 3, 16, 16)
    assert torch.allclose(found[:, 0] * 0.5 + 0.1, found[:, 2] + 0.3, atol=1e-6)
    same = Normalise(NetSpec("resnet18", 3, size=8, channels=1, mean=(0.5,), std=(0.25,)))
    assert torch.allclose(same(grey), (grey - 0.5) / 0.25)
    colour = torch.rand(2, 3, 8, 8)
    luma = 0.299 * colour[:, :1] + 0.587 * colour[:, 1:2] + 0.114 * colour[:, 2:]
    assert torch.allclose(same(colour), (luma - 0.5) / 0.25, atol=1e-5)


@pytest.mark.parametrize(("side", "size"), [(96, 64), (100, 64), (65, 64), (112, 48), (48, 64), (64, 112)])
def test_training_resizes_faces_as_the_runtime_does(side, size):
    """To the rounding of whole pixels."""
    faces = np.random.default_rng(0).integers(0, 256, (2, side, side, 3), np.uint8)
    theirs = np.stack([pixels.resize(face, size) for face in faces]).astype(np.float32)
    ours = resized(torch.from_numpy(faces).permute(0, 3, 1, 2).float(), size).permute(0, 2, 3, 1).numpy()
    assert np.abs(ours - theirs).max() < 1
