"""Draws text on images with OpenCV 5's scalable font, or with the stroke font of OpenCV 4.

>>> width, ascent = measure("happiness 93 %", 18)
>>> put(image, "happiness 93 %", (40, 60), 18, (255, 255, 255))

The scalable font has Latin, Greek, Cyrillic, Hebrew, Arabic, Chinese, Japanese and Korean letters, the stroke font has ASCII.
Other letters are transliterated by their Unicode names, and an emoji becomes its name between colons.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import numpy as np

from facelet.io.pixels import Image, cv2

SCALABLE = hasattr(cv2, "FontFace")
_FACE = cv2.FontFace("sans") if SCALABLE else cv2.FONT_HERSHEY_DUPLEX
_WEIGHT = 500
_HERSHEY_PIXELS = 30  # height of a line of the stroke font at scale 1
_MISSING = "\U0010ffff"  # no font has it
_RIGHT = "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]+"
_FROM_RIGHT = re.compile(rf"{_RIGHT}(?:\s+{_RIGHT})*")
"""Words in right-to-left scripts, such as Hebrew and Arabic."""

Colour = tuple[int, int, int]

_LETTERS = dict(
    re.findall(
        r"(\w)(\S+)",
        "аa бb вv гg дd еe жzh зz иi йy кk лl мm нn оo пp рr сs тt уu фf хkh цts чch шsh щshch ъ' ыy ь' эe юyu яya іi їyi єye ґg "
        "αa βv γg δd εe ζz ηi θth ιi κk λl μm νn ξx οo πp ρr σs ςs τt υy φf χch ψps ωo",
    )
)
"""Transliteration for the stroke font, close to that of passports."""


def measure(text: str, size: float, scalable: bool = SCALABLE) -> tuple[int, int]:
    """Returns (width, height of a capital letter) in pixels of ``text`` at a font size of ``size`` pixels."""
    text = drawable(text, scalable)
    if scalable:
        _, _, width, _ = cv2.getTextSize((0, 0), text, (0, 0), _FACE, round(size), _WEIGHT)
        return width, round(0.7 * size)
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_DUPLEX, size / _HERSHEY_PIXELS, _stroke(size))
    return width, height


def put(image: Image, text: str, at: tuple[int, int], size: float, colour: Colour, scalable: bool = SCALABLE) -> None:
    """Draws ``text`` on ``image``; ``at`` is the left end of the baseline."""
    text = drawable(text, scalable)
    if scalable:
        cv2.putText(image, text, at, colour, _FACE, round(size), _WEIGHT)
    else:
        scale = size / _HERSHEY_PIXELS
        cv2.putText(image, text, at, cv2.FONT_HERSHEY_DUPLEX, scale, colour, _stroke(size), cv2.LINE_AA)


@lru_cache(maxsize=1024)
def drawable(text: str, scalable: bool = SCALABLE) -> str:
    """Converts ``text`` to letters that the font has, in left-to-right order."""
    text = re.sub(r"\s", " ", unicodedata.normalize("NFC", text))
    if scalable:
        text = _left_to_right(text)
    written = ""
    for letter in text:
        if _has(letter, scalable):
            written += letter
        else:
            written = _spelled(written, letter, scalable)
    return re.sub(r" +", " ", written)


def shortened(text: str, most: int) -> str:
    """Truncates ``text`` to at most ``most`` drawn letters, with "..." at the end."""
    if len(drawable(text)) <= most:
        return text
    while text and len(drawable(text)) > most - 3:
        text = text[:-1]
    return text + "..."


def _left_to_right(text: str) -> str:
    """Reverses right-to-left text, since OpenCV draws letters in string order."""
    return _FROM_RIGHT.sub(lambda run: run[0][::-1], text)


@lru_cache(maxsize=4096)
def _has(letter: str, scalable: bool) -> bool:
    if letter.isascii():
        return letter.isprintable()
    return scalable and not np.array_equal(_picture(letter), _picture(_MISSING))


def _picture(letter: str) -> Image:
    image = np.zeros((32, 48, 3), np.uint8)
    cv2.putText(image, letter, (8, 24), (255, 255, 255), _FACE, 16, _WEIGHT)
    return image


def _spelled(written: str, letter: str, scalable: bool) -> str:
    """Appends the transliteration of ``letter`` to ``written``."""
    kind = unicodedata.category(letter)
    bare = "".join(part for part in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(part))
    if bare and bare != letter and all(_has(part, scalable) for part in bare):
        return written + bare
    if (known := _LETTERS.get(bare.lower())) is not None:
        return written + (known.capitalize() if bare.isupper() else known)
    name = unicodedata.name(letter, "")
    match = re.search(r" (LETTER|VOWEL SIGN|SIGN|CHARACTER|SYLLABLE|DIGIT) (.+)$", name)
    if match and kind[0] in "LMN":
        what, sound = match[1], match[2].lower().replace("anusvara", "m").replace("visarga", "h")
        if what == "VOWEL SIGN" or sound == "virama":  # Indic scripts: a bare letter includes an a
            return written.removesuffix("a") + ("" if sound == "virama" else sound)
        return written + sound
    if kind in ("Mn", "Me", "Cf", "Sk") or not name:  # accents, joiners, skin tones: not drawn
        return written
    return f"{written} :{name.lower()}:"


def _stroke(size: float) -> int:
    return max(1, round(size / 18))
