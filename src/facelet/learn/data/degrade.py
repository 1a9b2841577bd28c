"""Image degradations on whole batches, on any device: blur, down-scaling, greyscale, JPEG compression, gamma and vignettes.

>>> faces = soften(faces, blur, downscale)   # (N, C, S, S), parameters (N,)
>>> faces = compress(greyed(faces, grey), jpeg)

Blur and down-scaling are linear and treat rows and columns alike, so each is a matrix M per face: face -> M face M^T. One pair of
batched products covers every strength of blur and every size. ``compress`` quantizes the 8 x 8 blocks of each channel with JPEG's
table for luminance; JPEG's chroma subsampling is left out.
"""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)
BLOCK = 8
TABLE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
"""Luminance quantization table at quality 50, for pixels of 0 to 255: the example in the standard (ITU T.81, annex K)."""


def soften(faces: Tensor, blur: Tensor, downscale: Tensor) -> Tensor:
    """Blurs faces, then scales them down and back up.

    Args:
        faces: (N, C, S, S) float.
        blur: (N,) standard deviation of a Gaussian, as a share of the side; 0 for none.
        downscale: (N,) side after down-scaling, as a share of the original side; 1 for none.
    """
    side, rows = faces.shape[-1], _selected((blur > 0) | (downscale < 1))
    with torch.autocast(faces.device.type, enabled=False):
        matrix = (_rescale(downscale[rows], side) @ _gaussian(blur[rows], side))[:, None]
        return faces.index_copy(0, rows, matrix @ faces[rows].float() @ matrix.transpose(2, 3))


def greyed(faces: Tensor, grey: Tensor) -> Tensor:
    """Converts faces to greyscale where ``grey`` (N,) is 1; single-channel faces are returned unchanged."""
    if faces.shape[1] == 1:
        return faces
    return torch.where(grey.view(-1, 1, 1, 1) > 0, (faces * luma(faces.device)).sum(1, keepdim=True), faces)


def toned(faces: Tensor, gamma: Tensor) -> Tensor:
    """Raises pixels of 0 to 255 to the power ``gamma`` (N,), where white is 1; above 1 darkens, 1 leaves a face unchanged."""
    return (faces / 255).clamp(0, 1).pow(gamma.view(-1, 1, 1, 1)) * 255


def vignetted(faces: Tensor, strength: Tensor) -> Tensor:
    """Darkens faces towards the corners, which lose the share ``strength`` (N,) of their light; 0 leaves a face unchanged.

    The loss grows with the square of the distance from the middle.
    """
    side = faces.shape[-1]
    centres = ((torch.arange(side, device=faces.device, dtype=torch.float32) * 2 + 1) / side - 1).square()
    away = (centres[:, None] + centres) / 2
    return faces * (1 - strength.view(-1, 1, 1, 1) * away)


def compress(faces: Tensor, strength: Tensor) -> Tensor:
    """Applies the block quantization of JPEG.

    Args:
        faces: (N, C, S, S) in [0, 1].
        strength: (N,) factor of TABLE, see ``strength_of``; 0 leaves a face unchanged.
    """
    side, rows = faces.shape[-1], _selected(strength > 0)
    missing = -side % BLOCK
    padded = torch.nn.functional.pad(faces[rows], (0, missing, 0, missing), mode="replicate")
    n, channels, whole, _ = padded.shape
    blocks = padded.reshape(n, channels, whole // BLOCK, BLOCK, whole // BLOCK, BLOCK).transpose(3, 4)
    dct = _dct(faces.device)
    with torch.autocast(faces.device.type, enabled=False):
        steps = _table(faces.device) * strength[rows].view(-1, 1, 1, 1, 1, 1)
        steps = (steps + 0.5).floor().clamp(1, 255)
        coefficients = dct @ (blocks * 255 - 128) @ dct.T
        decoded = dct.T @ ((coefficients / steps).round() * steps) @ dct
    decoded = ((decoded + 128) / 255).transpose(3, 4).reshape(n, channels, whole, whole)[:, :, :side, :side]
    decoded = torch.where(strength[rows].view(-1, 1, 1, 1) > 0, decoded.clamp(0, 1), faces[rows])
    return faces.index_copy(0, rows, decoded)


@cache
def luma(device: torch.device) -> Tensor:
    """Weights of red, green and blue in the luminance, (1, 3, 1, 1). Cached, to avoid a copy to the GPU at every step."""
    return torch.tensor(LUMA, device=device).view(1, 3, 1, 1)


@cache
def _table(device: torch.device) -> Tensor:
    return torch.tensor(TABLE, dtype=torch.float32, device=device)


def strength_of(quality: Tensor) -> Tensor:
    """Factor of TABLE at a JPEG quality of 1 to 100, as in libjpeg: 1 at 50, 2.5 at 20."""
    return torch.where(quality < 50, 50 / quality, 2 - quality / 50)


def _selected(wanted: Tensor) -> Tensor:
    """Indices of the rows to process: those in the mask ``wanted``; on a GPU all rows, to avoid a synchronization."""
    return wanted.nonzero()[:, 0] if wanted.device.type == "cpu" else torch.arange(len(wanted), device=wanted.device)


def _gaussian(blur: Tensor, side: int) -> Tensor:
    """(N, S, S) matrices of a Gaussian blur; each row holds a pixel's weights, without pixels outside the face."""
    pixels = torch.arange(side, device=blur.device, dtype=torch.float32)
    away = (pixels[:, None] - pixels).square()
    deviation = (blur * side).clamp(min=1e-3)[:, None, None]  # at the least, the matrix is the identity
    return _rows(torch.exp(-away / (2 * deviation.square())))


def _rescale(share: Tensor, side: int) -> Tensor:
    """(N, S, S) matrices that scale to ``share`` of the side (whole pixels, bilinear, antialiased) and bilinearly back."""
    small = (share * side).round().clamp(1, side)[:, None, None]
    ratio = side / small
    pixels = torch.arange(side, device=share.device, dtype=torch.float32)
    there = pixels < small  # the smaller image uses the first ``small`` of ``side`` places
    centres = (pixels + 0.5)[:, None] * ratio - 0.5
    down = _rows((1 - (pixels - centres).abs() / ratio).clamp(min=0))
    places = ((pixels + 0.5)[:, None] / ratio - 0.5).clamp(min=0).minimum(small - 1)
    up = (1 - (places - pixels).abs()).clamp(min=0) * there
    return up @ down


def _rows(weights: Tensor) -> Tensor:
    """``weights`` with rows that sum to 1; rows of zeros stay zero."""
    return weights / weights.sum(2, keepdim=True).clamp(min=1e-9)


@cache
def _dct(device: torch.device) -> Tensor:
    """(8, 8) orthonormal DCT-II: rows are frequencies."""
    numbers = torch.arange(BLOCK, dtype=torch.float32, device=device)
    waves = torch.cos(math.pi / BLOCK * (numbers + 0.5) * numbers[:, None]) * math.sqrt(2 / BLOCK)
    waves[0] = math.sqrt(1 / BLOCK)
    return waves
