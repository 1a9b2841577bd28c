"""Facelet's exceptions and warnings, and "did you mean" suggestions.

>>> raise unknown("net", "resnet81", ["resnet18", "shufflenet-v2"])
Traceback (most recent call last):
    ...
facelet.errors.FaceletError: unknown net 'resnet81', did you mean 'resnet18'? (one of: resnet18, shufflenet-v2)
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class FaceletError(Exception):
    """An error that the user can fix; the message has the wrong value, what was expected and the nearest valid choice."""


class UnprovenModelError(FaceletError):
    """A model file whose outputs on this machine differ from the measured ones, with the reason and an alternative."""

    def __init__(self, reason: str, advice: str) -> None:
        super().__init__(f"{reason}; {advice}")
        self.reason = reason


class TooManyPixelsError(FaceletError):
    """An image with more pixels than the limit; it was not decoded."""

    def __init__(self, name: str, width: int, height: int, limit: int) -> None:
        super().__init__(f"{name} has {width} x {height} pixels, more than the limit of {limit / 1e6:g} million")


class FaceletWarning(UserWarning):
    """A warning for the user that does not stop the work; the command line prints it as a note."""


def nearest(name: str, valid: Iterable[str]) -> str | None:
    """The valid name most similar to ``name``, or None when none is similar."""
    choices = {choice.lower(): choice for choice in valid}
    matches = difflib.get_close_matches(name.lower(), choices, n=1, cutoff=0.5)
    return choices[matches[0]] if matches else None


def unknown(kind: str, name: str, valid: Iterable[str]) -> FaceletError:
    """The error for a name that is not in a registry, a recipe's schema or a list of labels."""
    choices = sorted(valid)
    close = nearest(name, choices)
    guess = f", did you mean {close!r}?" if close else ";"
    return FaceletError(f"unknown {kind} {name!r}{guess} (one of: {', '.join(choices)})")
