"""Worse pictures against torch's resampling, scipy and OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch.nn.functional import interpolate

from facelet.learn.data.degrade import compress, greyed, soften, strength_of, toned, vignetted


def faces(n=4, channels=3, side=32, seed=0):
    """Smooth, as faces are."""
    rough = torch.rand(n, channels, 8, 8, generator=torch.Generator().manual_seed(seed))
    return interpolate(rough, size=(side, side), mode="bicubic").clamp(0, 1)


def each(*values):
    return torch.tensor(values, dtype=torch.float32)


def test_neither_blur_nor_scale_changes_nothing():
    assert torch.equal(soften(faces(), torch.zeros(4), torch.ones(4)), faces())


@pytest.mark.parametrize("channels", [1, 3])
def test_blur_is_scipys_away_from_the_edge(channels):
    given = faces(2, channels)
    found = soften(given, each(0.5 / 32, 2 / 32), torch.ones(2))
    for face, result, deviation in zip(given, found, (0.5, 2.0), strict=True):
        expected = gaussian_filter(face.double().numpy(), (0, deviation, deviation), truncate=8)
        np.testing.assert_allclose(result[:, 9:-9, 9:-9], expected[:, 9:-9, 9:-9], atol=1e-4)
    white = soften(torch.ones(1, 1, 32, 32), each(0.1), torch.ones(1))
    torch.testing.assert_close(white, torch.ones(1, 1, 32, 32))


@pytest.mark.parametrize(("side", "small"), [(32, 8), (32, 13), (48, 47), (50, 11)])
def test_down_and_back_is_torchs(side, small):
    given = faces(3, side=side)
    found = soften(given, torch.zeros(3), each(1, small / side, 1))
    there = interpolate(given[1:2], size=(small, small), mode="bilinear", antialias=True, align_corners=False)
    back = interpolate(there, size=(side, side), mode="bilinear", align_corners=False)
    torch.testing.assert_close(found[1:2], back, atol=1e-5, rtol=1e-4)
    assert torch.equal(found[[0, 2]], given[[0, 2]])


def test_blur_comes_before_the_scale():
    given = faces(1)
    both = soften(given, each(0.05), each(0.25))
    torch.testing.assert_close(both, soften(soften(given, each(0.05), each(1)), each(0), each(0.25)))


def test_grey_is_luma_in_every_colour():
    given = faces(2)
    found = greyed(given, each(0, 1))
    assert torch.equal(found[0], given[0])
    luma = 0.299 * given[1, 0] + 0.587 * given[1, 1] + 0.114 * given[1, 2]
    for colour in found[1]:
        torch.testing.assert_close(colour, luma)
    assert torch.equal(greyed(faces(2, 1), each(1, 1)), faces(2, 1))


@pytest.mark.parametrize("side", [32, 44])
@pytest.mark.parametrize("quality", [20, 50, 85])
def test_a_grey_jpeg_is_opencvs(quality, side):
    """Up to the rounding of a file's pixels, but for the blocks where OpenCV's whole numbers take another step."""
    images = (faces(3, 1, side) * 255).round()
    found = compress(images / 255, strength_of(torch.full((3,), float(quality)))) * 255
    alike = []
    for image, result in zip(images, found, strict=True):
        _, data = cv2.imencode(".jpg", image[0].numpy().astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])
        expected = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE).astype(np.float32)
        for blocks in np.abs(result[0].numpy() - expected)[: side // 8 * 8].reshape(-1, 8, side):
            alike += [blocks[:, 8 * k : 8 * k + 8].max() < 0.75 for k in range(side // 8)]
        assert np.abs(image[0].numpy() - expected).mean() > 1
    assert np.mean(alike) > (0.85 if quality < 80 else 0.6)


def test_only_those_asked_for_are_compressed():
    given = faces(2)
    found = compress(given, each(0, 2.5))
    assert torch.equal(found[0], given[0])
    assert not torch.equal(found[1], given[1])


def test_autocast_does_not_round_pixels():
    given = faces(2)
    with torch.autocast("cpu", torch.bfloat16):
        found = compress(soften(given, each(0.01, 0.02), each(0.5, 1)), each(1, 0))
    assert found.dtype == torch.float32
    assert torch.equal(found, compress(soften(given, each(0.01, 0.02), each(0.5, 1)), each(1, 0)))


def test_nobody_asks():
    none = torch.zeros(4)
    assert torch.equal(compress(soften(faces(), none, torch.ones(4)), none), faces())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_sees_the_same():
    given, blur, scale, strength = faces(), each(0, 0.01, 0.02, 0), each(1, 0.3, 1, 1), each(0, 1, 0, 0)
    there = compress(soften(given.cuda(), blur.cuda(), scale.cuda()), strength.cuda()).cpu()
    assert (there - compress(soften(given, blur, scale), strength)).abs().mean() < 1e-3


def test_gamma_is_a_power():
    given = 255 * faces(2)
    found = toned(given, each(1.0, 1.8))
    torch.testing.assert_close(found[0], given[0])
    expected = [255 * (value / 255) ** 1.8 for value in given[1].flatten().tolist()]
    torch.testing.assert_close(found[1].flatten(), torch.tensor(expected), atol=1e-3, rtol=1e-5)


def test_a_vignette_takes_its_share_from_the_corners():
    found = vignetted(torch.ones(2, 1, 33, 33), each(0.0, 0.6))
    assert (found[0] == 1).all()
    for row, column in ((16, 16), (0, 0), (32, 0), (5, 20)):
        x, y = ((2 * place + 1) / 33 - 1 for place in (column, row))
        assert found[1, 0, row, column].item() == pytest.approx(1 - 0.6 * (x * x + y * y) / 2, abs=1e-6)
    assert found[1, 0, 0, 0] < 0.45
