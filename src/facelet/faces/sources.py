"""Where faces come from: the registry of sources, and ``load``, which reads one by its written form."""

from __future__ import annotations

import inspect
from typing import Any
from urllib.parse import parse_qsl

from facelet.errors import FaceletError, unknown
from facelet.faces.faceset import FaceSet, Source
from facelet.registry import Registry

SOURCES: Registry[Source] = Registry("face source")
"""``source(path, *, size=None, channels=None, **options) -> FaceSet``; options arrive as the strings users typed."""


def parse_source(text: str) -> tuple[str, str, dict[str, str]]:
    """``"ferplus:a.zip?rule=votes"`` to ``("ferplus", "a.zip", {"rule": "votes"})``."""
    place, _, query = text.partition("?")
    name, _, path = place.partition(":")
    return name, path, dict(parse_qsl(query, keep_blank_values=True))


def load(text: str, *, size: int | None = None, channels: int | None = None, **options: Any) -> FaceSet:
    """The faces of a source written ``NAME[:PATH][?option=value&...]``, at ``size`` pixels and in ``channels``.

    Raises FaceletError for an unknown source or option, and for whatever the source finds wrong with its files.
    """
    name, path, written = parse_source(text)
    source = SOURCES[name]
    options = {**options, **written}
    valid = [p.name for p in inspect.signature(source).parameters.values() if p.kind is p.KEYWORD_ONLY]
    for option in options:
        if option not in valid:
            raise unknown(
                f"option of face source {name!r}", option, [v for v in valid if v not in ("size", "channels")]
            )
    if name != "toy" and not path:
        raise FaceletError(f"face source {name!r} needs a path: {name}:PATH")
    faces = source(path, **{"size": size, "channels": channels, **_typed(source, options)})
    return faces.fitted(size or faces.size, channels or faces.channels)


def _typed(source: Source, options: dict[str, Any]) -> dict[str, Any]:
    """Options typed on a command line as what the source's defaults are: int, float, bool or str."""
    defaults = {p.name: p.default for p in inspect.signature(source).parameters.values()}
    typed = {}
    for name, value in options.items():
        kind = type(defaults[name])
        if not isinstance(value, str) or kind in (str, type(None)):
            typed[name] = value
            continue
        try:
            typed[name] = value.lower() in ("1", "true", "yes") if kind is bool else kind(value)
        except ValueError as error:
            raise FaceletError(f"option {name}={value!r} should be {kind.__name__}") from error
    return typed
