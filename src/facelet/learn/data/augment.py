"""Augmentation of whole batches on their device: affine resampling, random erasing, contrast and brightness, degradations.

Flip, shift, scale and turn are a single affine map and a single bilinear resample. Random erasing: Zhong et al., AAAI 2020,
https://arxiv.org/abs/1708.04896. Blur, down-scaling, greyscale, JPEG, gamma and vignettes are in learn.data.degrade. Drawing
parameters is separate from applying them: every process draws the parameters of the global batch from the same seed and applies its
own rows, so that several processes train on exactly the same faces as one process.

>>> params = draw(len(images), Augmentation(), torch.Generator().manual_seed(0))  # (N, 12)
>>> faces = apply(images, params)  # (N, C, S, S) float in [0, 1]

Flips are valid only for classes that do not depend on left and right: expressions do not, action units of one side do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from facelet.errors import FaceletError, unknown
from facelet.learn.data import degrade

COLUMNS = ("mirror", "dx", "dy", "scale", "turn", "left", "top", "right", "bottom", "fill", "gain", "offset")
"""Columns of the parameters: mirror is -1 or 1; dx and dy are shares of the side, right and down; turn is in radians,
anticlockwise; the erased rectangle is in shares of the side (empty: right <= left) and holds ``fill``; pixels become
``x * gain + offset``."""
WORSE = ("blur", "downscale", "grey", "jpeg")
"""Further columns, present when the settings use any of them: see learn.data.degrade for their values."""
LIGHT = ("gamma", "vignette")
"""Columns after those, present when the settings use any of them: see learn.data.degrade for their values."""
FURTHER = {12: (), 16: WORSE, 14: LIGHT, 18: (*WORSE, *LIGHT)}
"""Number of all columns -> those after COLUMNS."""

ERASED_AREA = (0.02, 0.2)
ERASED_ASPECT = 3.0
BLURRED = (0.004, 0.02)
"""Standard deviation of the blur, as a share of the side."""
DOWNSCALED = (0.25, 1.0)
"""Side of the down-scaled face, as a share of the original side; uniform in the logarithm."""
QUALITY = (20.0, 90.0)
"""JPEG quality."""
CROPPED = (0.85, 1.25)
"""Further scale of a wider or closer crop; uniform in the logarithm."""
VIGNETTE = (0.2, 0.7)
"""Share of the light that a vignette takes from the corners."""


@dataclass(frozen=True)
class Augmentation:
    """Settings of the augmentation.

    Attributes:
        flip: probability of a mirror image.
        shift: largest shift along each axis, as a share of the side.
        scale: largest scaling: 0.1 draws sizes from 1/1.1 to 1.1, uniformly in the logarithm.
        turn: largest rotation in degrees, in both directions.
        erase: probability that a rectangle of 2 to 20 % of the area is erased.
        gain: largest change of contrast, about mid grey: 0.2 draws from 0.8 to 1.2.
        bias: largest change of brightness, white being 1.
        blur: probability of a blur.
        downscale: probability of scaling the face down, to a quarter of its side at the least, and back up.
        grey: probability of greyscale.
        jpeg: probability of JPEG compression.
        gamma: largest change of the tone curve: 0.5 draws exponents from 1/1.5 to 1.5, uniformly in the logarithm.
        vignette: probability of darker corners.
        crop: probability of a crop that is wider or closer than ``scale`` makes it.

    Raises FaceletError for a probability or a range outside its limits.
    """

    flip: float = 0.5
    shift: float = 0.08
    scale: float = 0.1
    turn: float = 12.0
    erase: float = 0.25
    gain: float = 0.2
    bias: float = 0.1
    blur: float = 0.0
    downscale: float = 0.0
    grey: float = 0.0
    jpeg: float = 0.0
    gamma: float = 0.0
    vignette: float = 0.0
    crop: float = 0.0

    def __post_init__(self) -> None:
        largest = {"turn": 180.0}
        for field in fields(self):
            value, top = getattr(self, field.name), largest.get(field.name, 1.0)
            if not 0 <= value <= top:
                raise FaceletError(f"augmentation {field.name}={value} should be between 0 and {top:g}")


NONE = Augmentation(flip=0, shift=0, scale=0, turn=0, erase=0, gain=0, bias=0)


def augmentation(value: float | dict[str, float]) -> Augmentation:
    """Settings from a strength, which multiplies every range of the default except ``flip``, or from a mapping of fields by name.

    The default contains no image degradations.
    """
    names = [field.name for field in fields(Augmentation)]
    if isinstance(value, dict):
        for name in value:
            if name not in names:
                raise unknown("augmentation", name, names)
        return Augmentation(**value)
    if not 0 <= value <= 4:
        raise FaceletError(f"augment: {value:g} should be a strength between 0 (none) and 4")
    plain = Augmentation()
    scaled = {name: min(1.0, getattr(plain, name) * value) for name in names if name != "turn"}
    return Augmentation(**{**scaled, "turn": plain.turn * value, "flip": plain.flip if value else 0.0})


def draw(n: int, settings: Augmentation, generator: torch.Generator | None = None) -> Tensor:
    """Parameters (n, 12) float32 for ``apply``, see COLUMNS, on the generator's device; 4 more for WORSE and 2 more for LIGHT.

    A CPU generator gives the same numbers on every machine. Row i does not depend on n, nor do the first 12 columns on the others.
    """
    device = generator.device if generator is not None else torch.device("cpu")
    u = torch.rand(n, 13, generator=generator, device=device)
    even = 2 * u - 1
    mirror = 1.0 - 2.0 * (u[:, 0] < settings.flip)
    scale = torch.exp(even[:, 3] * math.log1p(settings.scale)) * _cropped(u, settings)
    turn = even[:, 4] * math.radians(settings.turn)
    area = ERASED_AREA[0] + u[:, 6] * (ERASED_AREA[1] - ERASED_AREA[0])
    aspect = torch.exp(even[:, 7] * math.log(ERASED_ASPECT))
    erased = u[:, 5] < settings.erase
    width, height = (area * aspect).sqrt() * erased, (area / aspect).sqrt() * erased
    left, top = u[:, 8] * (1 - width), u[:, 9] * (1 - height)
    gain = 1 + even[:, 11] * settings.gain
    offset = 0.5 - 0.5 * gain + even[:, 12] * settings.bias
    shift = even[:, 1:3] * settings.shift
    columns = (mirror, *shift.unbind(1), scale, turn, left, top, left + width, top + height, u[:, 10], gain, offset)
    return torch.stack((*columns, *_worse(u, settings), *_light(u, settings)), dim=1)


def _fine(u: Tensor) -> Tensor:
    """Further random numbers, (n, 13) in [0, 1): the lower half of the 24 bits of ``u``.

    That half has almost no effect on the columns that use ``u``. Drawing further numbers would change these columns.
    """
    return (u * 4096).frac()


def _cropped(u: Tensor, settings: Augmentation) -> Tensor | float:
    """Factor of the scale: 1, or of CROPPED."""
    if not settings.crop:
        return 1.0
    fine = _fine(u)
    factor = math.log(CROPPED[0]) + fine[:, 8] * math.log(CROPPED[1] / CROPPED[0])
    return torch.exp(factor * (fine[:, 7] < settings.crop))


def _light(u: Tensor, settings: Augmentation) -> tuple[Tensor, ...]:
    """The columns of LIGHT, or none. ``u``: as for ``_worse``."""
    if not any(getattr(settings, name) for name in LIGHT):
        return ()
    fine = _fine(u)
    gamma = torch.exp((2 * fine[:, 9] - 1) * math.log1p(settings.gamma))
    vignette = VIGNETTE[0] + fine[:, 10] * (VIGNETTE[1] - VIGNETTE[0])
    return gamma, vignette * (fine[:, 11] < settings.vignette)


def _worse(u: Tensor, settings: Augmentation) -> tuple[Tensor, ...]:
    """The columns of WORSE, or none. ``u``: (n, 13), the random numbers of the other columns."""
    if not any(getattr(settings, name) for name in WORSE):
        return ()
    fine = _fine(u)
    has = {name: fine[:, place] < getattr(settings, name) for place, name in enumerate(WORSE)}
    blur = BLURRED[0] + fine[:, 4] * (BLURRED[1] - BLURRED[0])
    downscale = torch.exp(math.log(DOWNSCALED[0]) + fine[:, 5] * math.log(DOWNSCALED[1] / DOWNSCALED[0]))
    jpeg = degrade.strength_of(QUALITY[0] + fine[:, 6] * (QUALITY[1] - QUALITY[0]))
    one = torch.ones_like(downscale)
    return blur * has["blur"], torch.where(has["downscale"], downscale, one), one * has["grey"], jpeg * has["jpeg"]


@torch.no_grad()
def apply(images: Tensor, params: Tensor) -> Tensor:
    """Augments each face with its row of parameters.

    Args:
        images: uint8 (N, S, S, C) or (N, C, S, S), C is 1 or 3; any device.
        params: (N, 12 to 18) from ``draw``; any device.

    Returns:
        (N, C, S, S) float32 in [0, 1], on the images' device. Pixels from outside the face repeat its edge.
    """
    faces = _channels_first(images)
    if len(params) != len(faces):
        raise FaceletError(f"{len(params)} rows of augmentation for {len(faces)} faces")
    params = params.to(faces.device, non_blocking=True)
    faces = grid_sample(faces.float(), _grid(params, faces.shape[-1]), padding_mode="border", align_corners=False)
    fill, gain, offset = (column.view(-1, 1, 1, 1) for column in params[:, 9:12].unbind(1))
    more = dict(zip(FURTHER[params.shape[1]], params[:, 12:].unbind(1), strict=True))
    worse, light = "jpeg" in more, "gamma" in more
    if worse:
        faces = degrade.greyed(degrade.soften(faces, more["blur"], more["downscale"]), more["grey"])
    if light:
        faces = degrade.toned(faces, more["gamma"])
    faces = torch.addcmul(offset, faces, gain / 255).clamp_(0, 1)
    if light:
        faces = degrade.vignetted(faces, more["vignette"])
    if worse:
        faces = degrade.compress(faces, more["jpeg"])
    return torch.where(_erased(params, faces.shape[-1]), fill, faces)


def augment(images: Tensor, settings: Augmentation, generator: torch.Generator | None = None) -> Tensor:
    """``apply`` with newly drawn parameters."""
    return apply(images, draw(len(images), settings, generator))


def plain(images: Tensor) -> Tensor:
    """Faces without augmentation: uint8 (N, S, S, C) or (N, C, S, S) to (N, C, S, S) float32 in [0, 1]."""
    return _channels_first(images).float().div_(255)


def _channels_first(images: Tensor) -> Tensor:
    if images.dtype != torch.uint8 or images.ndim != 4:
        raise FaceletError(
            f"faces to augment must be uint8 and have 4 dimensions, not {images.dtype} {tuple(images.shape)}"
        )
    if images.shape[-1] in (1, 3):
        images = images.permute(0, 3, 1, 2)
    if images.shape[1] not in (1, 3) or images.shape[2] != images.shape[3]:
        raise FaceletError(f"faces to augment must be (N, S, S, C) or (N, C, S, S), C 1 or 3: {tuple(images.shape)}")
    return images.contiguous()


def _grid(params: Tensor, side: int) -> Tensor:
    """Source position of each output pixel: (N, S, S, 2) in grid_sample's -1..1.

    Not ``affine_grid``: under autocast its matrix product would be rounded to bfloat16, an error of half a pixel.
    """
    mirror, dx, dy, scale, turn = params[:, :5].unbind(1)
    centres = (torch.arange(side, device=params.device, dtype=torch.float32) * 2 + 1) / side - 1
    x, y = centres - 2 * dx[:, None], centres - 2 * dy[:, None]
    cos, sin = (torch.cos(turn) / scale)[:, None], (torch.sin(turn) / scale)[:, None]
    mirror = mirror[:, None]
    grid = torch.empty(len(params), side, side, 2, device=params.device)
    torch.add((x * cos * mirror)[:, None, :], (-y * sin * mirror)[:, :, None], out=grid[..., 0])
    torch.add((x * sin)[:, None, :], (y * cos)[:, :, None], out=grid[..., 1])
    return grid


def _erased(params: Tensor, side: int) -> Tensor:
    """Mask (N, 1, S, S) of the pixels whose centres lie in the erased rectangle."""
    left, top, right, bottom = (column[:, None] for column in params[:, 5:9].unbind(1))
    centres = (torch.arange(side, device=params.device, dtype=torch.float32) + 0.5) / side
    columns = (centres >= left) & (centres < right)
    rows = (centres >= top) & (centres < bottom)
    return (rows[:, None, :, None]) & (columns[:, None, None, :])
