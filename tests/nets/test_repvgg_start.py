"""reproduce/repvgg_start.py on the identity model that ships."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facelet.models import model_file
from facelet.models.bundled import found
from facelet.runtime.model import Model


@pytest.fixture(scope="module")
def script(benchmark_script):
    return benchmark_script("repvgg_start")


def faces(size: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (16, size, size, 3), dtype=np.uint8)


def test_at_the_files_size_the_net_gives_the_files_embeddings(script):
    size = model_file.read(found("identity-fp32")).input.size
    images = faces(size)
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2) / 255
    net, spec = script.converted(found("identity-fp32"), size, 0.95, pixels, [])
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (spec.mean, spec.std))
    with torch.no_grad():
        ours = net((pixels - mean) / std).numpy()
    theirs = Model.load("identity-fp32").embeddings(images)
    ours /= np.linalg.norm(ours, axis=1, keepdims=True)
    assert (ours * theirs).sum(1).min() > 0.9999


def test_blocks_are_left_out_and_the_head_fits_another_size(script):
    pixels = torch.from_numpy(faces(80)).permute(0, 3, 1, 2) / 255
    whole = script.converted(found("identity-fp32"), 80, 0.95, pixels, [])[1].options["blocks"]
    net, spec = script.converted(found("identity-fp32"), 80, 0.95, pixels, ["stage1.1"])
    assert (spec.size, spec.options["norms"]) == (80, "single")
    assert spec.options["blocks"] == [whole[0] - 1, *whole[1:]]
    assert net(pixels).shape == (16, 128)
