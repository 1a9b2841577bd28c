"""Draws results on a photo: box, landmarks, a label with the expression, and bars of the top three where there is room.

>>> picture = draw(pixels.read("photo.jpg"), analyzer.analyze("photo.jpg"))  # RGB uint8, a new image

Sizes scale with the face, within bounds that keep text readable. A small photo is enlarged first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from facelet.io import pixels
from facelet.io.pixels import Image, cv2
from facelet.runtime.drawing.lettering import Colour, measure, put
from facelet.runtime.face import Face

SMALLEST = 640
"""Minimum long side in pixels; a smaller photo is enlarged before drawing."""

COLOURS: tuple[Colour, ...] = (
    (86, 180, 233),
    (255, 200, 60),
    (180, 140, 255),
    (90, 160, 255),
    (255, 110, 90),
    (80, 200, 140),
    (255, 150, 190),
    (200, 200, 200),
)
"""Colours of the labels, in the model's order; light enough to contrast with skin and with dark text."""

DARK: Colour = (24, 26, 30)
PALE: Colour = (240, 240, 240)
BARS = 3

Area = tuple[int, int, int, int]  # left, top, right, bottom


def draw(photo: Image, faces: Sequence[Face], captions: Sequence[str] = ()) -> Image:
    """A new RGB uint8 image, at least SMALLEST pixels long, with ``faces`` of ``photo`` (RGB or grey) drawn on it.

    ``captions``: text for each face, instead of its expression. Its warnings, such as "small", are appended.
    """
    picture = pixels.to_channels(photo, 3)
    scale = max(1.0, SMALLEST / max(picture.shape[:2]))
    height, width = (max(1, round(side * scale)) for side in picture.shape[:2])
    picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_CUBIC) if scale > 1 else picture.copy()
    scaled = [_scaled(face, scale) for face in faces]
    areas = [_area(face) for face in scaled]
    scores = [_score(face, area, (height, width)) for face, area in zip(scaled, areas, strict=True)]
    for face, area, score in zip(scaled, areas, scores, strict=True):
        _frame(picture, face, area)
        _put_score(picture, *score)
    taken = [*areas, *(score.area for score in scores)]
    chips: list[tuple[Face, str, Area, float]] = []
    # Large faces come first: their labels are placed first, and drawn last, on top.
    for number, (face, area) in enumerate(zip(scaled, areas, strict=True)):
        size = _letters(area, (height, width))
        words = ", ".join([captions[number] if captions else _words(face), *_warned(face)])
        others = [other for place, other in enumerate(areas) if place != number] + [score.area for score in scores]
        others += [chip for _, _, chip, _ in chips]
        chip = _chip_area(words, area, size, (height, width), others)
        chips.append((face, words, chip, size))
        taken.append(chip)
    for face, area, (*_, size) in zip(scaled, areas, chips, strict=True):
        panel = _panel_area(face, area, size, taken, (height, width))
        if panel:
            taken.append(panel)
            _bars(picture, face, panel, size)
    for face, words, chip, size in reversed(chips):
        _chip(picture, words, colour_of(face), chip, size)
    return picture


def colour_of(face: Face) -> Colour:
    """RGB colour of the face's expression; the first colour without one."""
    labels = list(face.probabilities)
    return COLOURS[labels.index(face.expression) % len(COLOURS)] if face.expression in labels else COLOURS[0]


def _scaled(face: Face, scale: float) -> Face:
    left, top, width, height = (value * scale for value in face.box)
    landmarks = None if face.landmarks is None else face.landmarks * np.float32(scale)
    return replace(face, box=(left, top, width, height), landmarks=landmarks)


def _area(face: Face) -> Area:
    left, top, width, height = face.box
    return round(left), round(top), round(left + width), round(top + height)


def _letters(area: Area, shape: tuple[int, int]) -> float:
    """Text height in pixels: a seventh of the face, within bounds relative to the photo."""
    long_side = max(shape)
    return float(np.clip((area[3] - area[1]) / 7, max(13, long_side / 75), max(14, long_side / 32)))


def _frame(picture: Image, face: Face, area: Area) -> None:
    """Draws a thin box with thick corners, and the landmarks as dots."""
    left, top, right, bottom = area
    colour, side = colour_of(face), min(right - left, bottom - top)
    line = max(1, round(side / 60), round(max(picture.shape) / 600))
    cv2.rectangle(picture, (left, top), (right, bottom), colour, max(1, line // 3), cv2.LINE_AA)
    arm = round(side * 0.22)
    for x, inward in ((left, arm), (right, -arm)):
        for y, down in ((top, arm), (bottom, -arm)):
            bend = np.array([(x + inward, y), (x, y), (x, y + down)], np.int32)
            cv2.polylines(picture, [bend], False, colour, line + 1, cv2.LINE_AA)
    for x, y in [] if face.landmarks is None else face.landmarks:
        radius = max(1, round(side / 70))
        cv2.circle(picture, (round(float(x)), round(float(y))), radius + 1, DARK, -1, cv2.LINE_AA)
        cv2.circle(picture, (round(float(x)), round(float(y))), radius, PALE, -1, cv2.LINE_AA)


class _Score(NamedTuple):
    """The detector's score as text: its area, and its size in pixels."""

    text: str
    area: Area
    size: float


def _score(face: Face, area: Area, shape: tuple[int, int]) -> _Score:
    """Places the score inside the box's lower right corner, or below a box that is too small for it."""
    text = f"{face.score:.2f}"
    size = 0.75 * _letters(area, shape)
    width, capital = measure(text, size)
    fits = width < 0.5 * (area[2] - area[0])
    right, bottom = (
        area[2] - round(0.4 * size),
        area[3] - round(0.5 * size) if fits else area[3] + capital + round(0.5 * size),
    )
    left, bottom = max(0, min(right - width, shape[1] - width)), min(bottom, shape[0] - 2)
    return _Score(text, (left, bottom - capital, left + width, bottom), size)


def _put_score(picture: Image, text: str, area: Area, size: float) -> None:
    """Draws the score, pale with a dark outline."""
    at = area[0], area[3]
    for shift in ((1, 1), (-1, -1), (1, -1), (-1, 1)):
        put(picture, text, (at[0] + shift[0], at[1] + shift[1]), size, DARK)
    put(picture, text, at, size, PALE)


def _words(face: Face) -> str:
    """Caption text: the label with its probability."""
    if face.expression is None:
        return f"face {face.score:.0%}"
    return f"{face.expression} {face.probabilities[face.expression]:.0%}"


def _warned(face: Face) -> list[str]:
    """Short names of the face's warnings, without duplicates."""
    return list(dict.fromkeys(warning.partition(":")[0] for warning in face.warnings))


def _chip_area(words: str, area: Area, size: float, shape: tuple[int, int], others: Sequence[Area]) -> Area:
    """Position of a label: above, below, inside or beside the box, wherever it overlaps other faces and labels least."""
    width = measure(words, size)[0] + round(0.8 * size)
    height, gap = round(1.5 * size), round(0.15 * size)
    above, below = area[1] - height - gap, area[3] + gap
    places = [
        (area[0], above),
        (area[2] - width, above),
        (area[0], below),
        (area[2] - width, below),
        (area[0], area[1]),
        (area[2] + gap, area[1]),
        (area[0] - gap - width, area[1]),
    ]
    chips = []
    for left, top in places:
        left = min(max(0, left), max(0, shape[1] - width))
        if 0 <= top <= shape[0] - height:
            chips.append((left, top, left + width, top + height))
    if not chips:
        left, top = min(max(0, area[0]), max(0, shape[1] - width)), max(0, min(area[1], shape[0] - height))
        return left, top, left + width, top + height
    return min(chips, key=lambda chip: sum(_shared(chip, other) for other in others))


def _chip(picture: Image, words: str, colour: Colour, chip: Area, size: float) -> None:
    left, top, _, bottom = chip
    _rounded(picture, chip, colour, round(0.35 * size), 1.0)
    _, capital = measure(words, size)
    put(picture, words, (left + round(0.4 * size), (top + bottom + capital) // 2), size, DARK)


def _panel_area(face: Face, area: Area, size: float, taken: list[Area], shape: tuple[int, int]) -> Area | None:
    """Position of the bars: below, right or left of the box, without overlap and inside the photo; None if there is none."""
    if len(face.probabilities) < 2 or area[3] - area[1] < 4.5 * size:
        return None
    text = 0.8 * size
    names = max(measure(label, text)[0] for label, _ in _likeliest(face))
    width = max(round(names + 9 * text), min(area[2] - area[0], round(names + 11 * text)))
    height, gap = round((0.5 + 1.45 * BARS) * text), round(0.3 * size)
    for left, top in ((area[0], area[3] + gap), (area[2] + gap, area[1]), (area[0] - gap - width, area[1])):
        panel = left, top, left + width, top + height
        inside = left >= 0 and top >= 0 and panel[2] <= shape[1] and panel[3] <= shape[0]
        if inside and not any(_overlap(panel, other) for other in taken):
            return panel
    return None


def _likeliest(face: Face) -> list[tuple[str, float]]:
    return sorted(face.probabilities.items(), key=lambda item: -item[1])[:BARS]


def _bars(picture: Image, face: Face, panel: Area, size: float) -> None:
    left, top, right, _ = panel
    text = 0.8 * size
    _rounded(picture, panel, DARK, round(0.35 * size), 0.72)
    names = max(measure(label, text)[0] for label, _ in _likeliest(face))
    labels, numbers = list(face.probabilities), measure("100%", text)[0]
    for row, (label, probability) in enumerate(_likeliest(face)):
        middle = top + round((0.98 + 1.45 * row) * text)
        _, capital = measure(label, text)
        put(picture, label, (left + round(0.5 * text), middle + capital // 2), text, PALE)
        number = f"{probability:.0%}"
        put(picture, number, (right - round(0.5 * text) - measure(number, text)[0], middle + capital // 2), text, PALE)
        start, end = left + names + round(1.1 * text), right - round(1.0 * text) - numbers
        half = max(1, round(0.2 * text))
        _rounded(picture, (start, middle - half, end, middle + half), (70, 74, 82), half, 1.0)
        reach = start + round((end - start) * probability)
        if reach > start + half:
            colour = COLOURS[labels.index(label) % len(COLOURS)]
            _rounded(picture, (start, middle - half, reach, middle + half), colour, half, 1.0)


def _rounded(picture: Image, area: Area, colour: Colour, radius: int, opacity: float) -> None:
    """Draws a filled rectangle with rounded corners, alpha-blended and clipped to the picture."""
    left, top, right, bottom = area
    x, y, end_x, end_y = max(0, left), max(0, top), min(picture.shape[1], right), min(picture.shape[0], bottom)
    if x >= end_x or y >= end_y:
        return
    mask = np.zeros((bottom - top, right - left), np.uint8)
    radius = max(0, min(radius, (right - left - 1) // 2, (bottom - top - 1) // 2))
    wide, high = right - left - 1, bottom - top - 1
    cv2.rectangle(mask, (radius, 0), (wide - radius, high), 255, -1)
    cv2.rectangle(mask, (0, radius), (wide, high - radius), 255, -1)
    for centre in ((radius, radius), (wide - radius, radius), (radius, high - radius), (wide - radius, high - radius)):
        cv2.circle(mask, centre, radius, 255, -1, cv2.LINE_AA)
    share = mask[y - top : end_y - top, x - left : end_x - left, None] * np.float32(opacity / 255)
    below = picture[y:end_y, x:end_x]
    picture[y:end_y, x:end_x] = np.rint(below + (np.asarray(colour, np.float32) - below) * share).astype(np.uint8)


def _shared(a: Area, b: Area) -> int:
    """Intersection of two areas in pixels."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    return max(0, width) * max(0, min(a[3], b[3]) - max(a[1], b[1]))


def _overlap(a: Area, b: Area) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
