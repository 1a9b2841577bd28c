"""Image degradations on whole batches, on any device: blur, down-scaling, greyscale and JPEG compression.

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
"""Steps of the luminance's coefficients at quality 50, for pixels of 0 to 255: the example in the standard (ITU T.81, annex K)."""


def soften(faces: Tensor, blur: Tensor, downscale: Tensor) -> Tensor:
    """Blurred, then down-scaled and back.

    Args:
        faces: (N, C, S, S) float.
        blur: (N,) standard deviation of a Gaussian, as a share of the side; 0 for none.
        downscale: (N,) side it is brought down to, as a share of its own; 1 for none.
    """
    side, rows = faces.shape[-1], _asked((blur > 0) | (downscale < 1))
    with torch.autocast(faces.device.type, enabled=False):
        matrix = (_rescale(downscale[rows], side) @ _gaussian(blur[rows], side))[:, None]
        return faces.index_copy(0, rows, matrix @ faces[rows].float() @ matrix.transpose(2, 3))


def greyed(faces: Tensor, grey: Tensor) -> Tensor:
    """Without colour where ``grey`` (N,) is 1; a grey face as it is."""
    if faces.shape[1] == 1:
        return faces
    return torch.where(grey.view(-1, 1, 1, 1) > 0, (faces * luma(faces.device)).sum(1, keepdim=True), faces)


def compress(faces: Tensor, strength: Tensor) -> Tensor:
    """Blocks as of a JPEG file.

    Args:
        faces: (N, C, S, S) in [0, 1].
        strength: (N,) factor of TABLE, see ``strength_of``; 0 leaves a face as it is.
    """
    side, rows = faces.shape[-1], _asked(strength > 0)
    missing = -side % BLOCK
    padded = torch.nn.functional.pad(faces[rows], (0, missing, 0, missing), mode="replicate")
    n, channels, whole, _ = padded.shape
    blocks = padded.reshape(n, channels, whole // BLOCK, BLOCK, whole // BLOCK, BLOCK).transpose(3, 4)
    dct = _dct(faces.device)
    with torch.autocast(faces.device.type, enabled=False):
        steps = _table(faces.device) * strength[rows].view(-1, 1, 1, 1, 1, 1)
        steps = (steps + 0.5).floor().clamp(1, 255)
        found = dct @ (blocks * 255 - 128) @ dct.T
        made = dct.T @ ((found / steps).round() * steps) @ dct
    made = ((made + 128) / 255).transpose(3, 4).reshape(n, channels, whole, whole)[:, :, :side, :side]
    made = torch.where(strength[rows].view(-1, 1, 1, 1) > 0, made.clamp(0, 1), faces[rows])
    return faces.index_copy(0, rows, made)


@cache
def luma(device: torch.device) -> Tensor:
    """(1, 3, 1, 1): what red, green and blue count for. Made once: a GPU would be sent it at every step."""
    return torch.tensor(LUMA, device=device).view(1, 3, 1, 1)


@cache
def _table(device: torch.device) -> Tensor:
    return torch.tensor(TABLE, dtype=torch.float32, device=device)


def strength_of(quality: Tensor) -> Tensor:
    """Factor of TABLE at a JPEG quality of 1 to 100, as libjpeg has it: 1 at 50, 2.5 at 20."""
    return torch.where(quality < 50, 50 / quality, 2 - quality / 50)


def _asked(wanted: Tensor) -> Tensor:
    """Rows to work on: those that ask for it; on a GPU, which would have to wait for their number, all."""
    return wanted.nonzero()[:, 0] if wanted.device.type == "cpu" else torch.arange(len(wanted), device=wanted.device)


def _gaussian(blur: Tensor, side: int) -> Tensor:
    """(N, S, S): a row holds the weights that a pixel has of all; what would come from outside is left out."""
    pixels = torch.arange(side, device=blur.device, dtype=torch.float32)
    away = (pixels[:, None] - pixels).square()
    deviation = (blur * side).clamp(min=1e-3)[:, None, None]  # so small that a pixel keeps to itself
    return _rows(torch.exp(-away / (2 * deviation.square())))


def _rescale(share: Tensor, side: int) -> Tensor:
    """(N, S, S): bilinear with antialiasing to ``share`` of the side, in whole pixels, and bilinear back."""
    small = (share * side).round().clamp(1, side)[:, None, None]
    ratio = side / small
    pixels = torch.arange(side, device=share.device, dtype=torch.float32)
    there = pixels < small  # the smaller picture's pixels, of as many places as the larger has
    centres = (pixels + 0.5)[:, None] * ratio - 0.5
    down = _rows((1 - (pixels - centres).abs() / ratio).clamp(min=0))
    places = ((pixels + 0.5)[:, None] / ratio - 0.5).clamp(min=0).minimum(small - 1)
    up = (1 - (places - pixels).abs()).clamp(min=0) * there
    return up @ down


def _rows(weights: Tensor) -> Tensor:
    """Rows that sum to 1; one without weights stays so."""
    return weights / weights.sum(2, keepdim=True).clamp(min=1e-9)


@cache
def _dct(device: torch.device) -> Tensor:
    """(8, 8) orthonormal DCT-II: rows are frequencies."""
    numbers = torch.arange(BLOCK, dtype=torch.float32, device=device)
    waves = torch.cos(math.pi / BLOCK * (numbers + 0.5) * numbers[:, None]) * math.sqrt(2 / BLOCK)
    waves[0] = math.sqrt(1 / BLOCK)
    return waves
