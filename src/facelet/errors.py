"""The one exception users meet, and "did you mean".

>>> raise unknown("net", "resnet81", ["resnet18", "shufflenet-v2"])
Traceback (most recent call last):
    ...
facelet.errors.FaceletError: unknown net 'resnet81', did you mean 'resnet18'? (one of: resnet18, shufflenet-v2)
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class FaceletError(Exception):
    """A mistake that the user can mend: names the thing, its value, what was expected and the nearest valid choice."""


class UnprovenModelError(FaceletError):
    """A model file that does not compute on this machine what it was measured to compute: why, and what to use instead."""

    def __init__(self, reason: str, advice: str) -> None:
        super().__init__(f"{reason}; {advice}")
        self.reason = reason


class FaceletWarning(UserWarning):
    """What a user should know although the work goes on; the command line prints it as a note."""


def nearest(name: str, valid: Iterable[str]) -> str | None:
    """The valid name most like ``name``, or None when nothing is close."""
    choices = {choice.lower(): choice for choice in valid}
    found = difflib.get_close_matches(name.lower(), choices, n=1, cutoff=0.5)
    return choices[found[0]] if found else None


def unknown(kind: str, name: str, valid: Iterable[str]) -> FaceletError:
    """The error for a name that is not in a registry, a recipe's schema or a list of labels."""
    choices = sorted(valid)
    close = nearest(name, choices)
    guess = f", did you mean {close!r}?" if close else ";"
    return FaceletError(f"unknown {kind} {name!r}{guess} (one of: {', '.join(choices)})")
