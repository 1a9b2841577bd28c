"""Notes on pictures that no longer show what is before the camera: frozen, or of a single colour.

>>> health = Health()
>>> [note for seconds, image in frames if (note := health.seen(image, seconds))]
['the picture has not changed for 10 s', 'the picture changes again']
"""

from __future__ import annotations

import numpy as np

from facelet.io.pixels import Image

PATIENCE = 10.0
"""Seconds after which it is said: a camera's noise changes every frame, but a coded stream may repeat a still scene for a while."""
EVERY = 8
"""Every eighth pixel of every eighth row is compared."""
FLAT = 12
"""Largest range of a colour channel in a picture without content: a covered lens, or the grey of a decoder without a key frame."""

FROZEN = "the picture has not changed for {:.0f} s", "the picture changes again"
BLANK = "the picture has been of a single colour for {:.0f} s", "the picture has content again"


class Health:
    """Looks at the pictures of one stream in order."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._last: Image | None = None
        self._since: dict[tuple[str, str], float] = {}
        self._said: set[tuple[str, str]] = set()

    def seen(self, image: Image, seconds: float) -> str:
        """What is to be said after this picture, RGB uint8 at a time in seconds: usually nothing."""
        small = image[::EVERY, ::EVERY].copy()
        blank = int(np.ptp(small.reshape(-1, small.shape[2]), axis=0).max()) <= FLAT
        frozen = not blank and self._last is not None and np.array_equal(small, self._last)
        self._last = small
        notes = [self._changed(BLANK, blank, seconds), self._changed(FROZEN, frozen, seconds)]
        return "; ".join(filter(None, notes))

    def _changed(self, kind: tuple[str, str], bad: bool, seconds: float) -> str:
        if not bad:
            self._since.pop(kind, None)
            if kind in self._said:
                self._said.remove(kind)
                return kind[1]
            return ""
        lasting = seconds - self._since.setdefault(kind, seconds)
        if lasting < self._patience or kind in self._said:
            return ""
        self._said.add(kind)
        return kind[0].format(lasting)
