"""Text in a photo: OpenCV 5's scalable font, OpenCV 4's stroke font where that is all there is.

>>> width, ascent = measure("happiness 93 %", 18)
>>> put(image, "happiness 93 %", (40, 60), 18, (255, 255, 255))

The stroke font knows ASCII only and shows other letters as question marks.
"""

from __future__ import annotations

from facelet.pixels import Image, cv2

SCALABLE = hasattr(cv2, "FontFace")
_FACE = cv2.FontFace("sans") if SCALABLE else cv2.FONT_HERSHEY_DUPLEX
_WEIGHT = 500
_HERSHEY_PIXELS = 30  # height of a line of the stroke font at scale 1

Colour = tuple[int, int, int]


def measure(text: str, size: float, scalable: bool = SCALABLE) -> tuple[int, int]:
    """(width, height of a capital letter) in pixels of ``text`` written ``size`` pixels high."""
    if scalable:
        _, _, width, _ = cv2.getTextSize((0, 0), text, (0, 0), _FACE, round(size), _WEIGHT)
        return width, round(0.7 * size)
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_DUPLEX, size / _HERSHEY_PIXELS, _stroke(size))
    return width, height


def put(image: Image, text: str, at: tuple[int, int], size: float, colour: Colour, scalable: bool = SCALABLE) -> None:
    """Writes into ``image``; ``at`` is the left end of the baseline."""
    if scalable:
        cv2.putText(image, text, at, colour, _FACE, round(size), _WEIGHT)
    else:
        scale = size / _HERSHEY_PIXELS
        cv2.putText(image, text, at, cv2.FONT_HERSHEY_DUPLEX, scale, colour, _stroke(size), cv2.LINE_AA)


def _stroke(size: float) -> int:
    return max(1, round(size / 18))
