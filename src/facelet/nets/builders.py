"""Builder functions by net name, and validation of net options.

>>> make = builder("timm/mobilenetv2_100"); net = make(8, 48, 1, **checked_options("resnet18", {"width": 0.5}))
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import partial
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from facelet.errors import FaceletError, unknown
from facelet.nets import timm
from facelet.nets.base import NETS

TIMM = "timm/"


def builder(name: str) -> Any:
    """The function that builds ``name``. Raises FaceletError with the nearest name when there is none."""
    if name.startswith(TIMM):
        timm.require(name.removeprefix(TIMM))
        return partial(timm.build, name.removeprefix(TIMM))
    if name not in NETS:
        if timm.exists(name):
            raise FaceletError(f"unknown net {name!r}, did you mean {TIMM + name!r}?")
        raise NETS.unknown(name, [TIMM + "NAME"])
    return NETS[name]


def checked_options(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options, validated and converted to the types in the signature of the net's builder.

    Raises FaceletError for an unknown option, with the nearest valid one, and for an invalid value, with the expected type.
    """
    make = builder(name)
    make = make.func if isinstance(make, partial) else make.__init__ if inspect.isclass(make) else make
    hints = get_type_hints(make, include_extras=True)
    valid = [key for key, value in inspect.signature(make).parameters.items() if value.kind is value.KEYWORD_ONLY]
    checked = {}
    for key, value in options.items():
        if key not in valid:
            raise unknown(f"option of net {name!r}:", key, valid)
        try:
            checked[key] = TypeAdapter(hints[key]).validate_python(value)
        except ValidationError as error:
            raise FaceletError(f"option {key!r} of net {name!r} is {value!r}: {error.errors()[0]['msg']}") from None
    return checked
