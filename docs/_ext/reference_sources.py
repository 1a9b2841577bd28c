"""A source of faces or of pairs: its docstrings, and its options from its signature."""

from __future__ import annotations

import importlib
import inspect
import typing

from reference_markdown import arguments, default_text, prose, table, type_text

from facelet.faces import PAIRS, SOURCES
from facelet.faces.faceset import FaceSet

COMMON = {
    "size": "side of the faces in pixels; default: as the source has them",
    "channels": "1 for grey, 3 for RGB; default: as the source has them",
    "unreadable": "`refuse` a set with damaged files, or `skip` them with a note",
    "margin": "cuts the faces closer when it is below the source's own margin, and extends their edges when it is above",
}
"""Options that mean the same in every source; a source's own description comes first."""
OWN = {
    "ckplus": {
        "fold": "number of the fold that is the test split, 0 to 9",
        "split": "`subject`: nobody is in two splits; `frames` deals out single frames, which leaks, and says so",
    },
    "ferplus": {"rule": "how votes become labels: `majority`, `majority-7` (without contempt) or `probability`"},
    "rafdb": {
        "val": "share of the training faces that is validation",
        "test": "share of the training faces to test on, where the official test faces are missing",
        "agreement": "share of the votes that a label counts for, beside faces whose votes are known; 1 for labels alone",
    },
}
"""Options that the docstrings explain in their text."""


def options(name: str) -> dict[str, tuple[str, str, str]]:
    """Type, default and description of each option, by its name."""
    source = (SOURCES if name in SOURCES else PAIRS)[name]
    hints = typing.get_type_hints(source)
    described = COMMON | arguments(source.__doc__) | OWN.get(name, {})
    found = {
        option: (type_text(hints[option]), default_text(parameter.default), described.get(option, ""))
        for option, parameter in inspect.signature(source).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    if hints["return"] is FaceSet:
        found["margin"] = ("number", "", COMMON["margin"])
    return found


def markdown(name: str) -> str:
    source = (SOURCES if name in SOURCES else PAIRS)[name]
    place = name if inspect.signature(source).parameters["path"].default == "" else f"{name}:PATH"
    rows = ((f"`{option}`", *told) for option, told in options(name).items())
    return "\n\n".join(
        [
            prose(importlib.import_module(source.__module__).__doc__),
            prose(source.__doc__),
            "## Options",
            f"Written `'{place}?option=value&option=value'`, or as keys of a recipe's `faces`.",
            table(("option", "type", "default", "description"), rows),
        ]
    )
