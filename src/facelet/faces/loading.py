"""The registries of face sources, and ``load``, which reads a source by its written form.

>>> load("ferplus:ferplus.zip?rule=majority", size=48)
>>> load({"source": "ferplus", "path": "ferplus.zip", "rule": "majority", "size": 48})  # as in a recipe
>>> load_pairs("lfw:lfw_112.zip")  # verification pairs

Paths must not contain ``?``, which starts the options.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from facelet.errors import FaceletError, unknown
from facelet.faces.faceset import FaceSet, Source
from facelet.faces.pairset import PairSet, PairSource
from facelet.registry import Registry

SOURCES: Registry[Source] = Registry("face source")
"""``source(path, *, size=None, channels=None, **options) -> FaceSet``; options are converted to the types of their defaults.

A source that reads no path has a default for ``path``.
"""

PAIRS: Registry[PairSource] = Registry("source of pairs")
"""``source(path, *, size=None, channels=None, **options) -> PairSet``, with the same conventions."""

MAX_SIZE = 4096
Faces = TypeVar("Faces", FaceSet, PairSet)


def parse_source(text: str) -> tuple[str, str, dict[str, str]]:
    """Splits ``"ferplus:a.zip?rule=votes"`` into ``("ferplus", "a.zip", {"rule": "votes"})``.

    Raises FaceletError for an option without ``=``.
    """
    place, _, query = text.partition("?")
    name, _, path = place.partition(":")
    try:
        return name, path, dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))
    except ValueError:
        raise FaceletError(f"{text!r}: options are written ?name=value&name=value, not ?{query}") from None


def load(
    source: str | Mapping[str, Any], *, size: int | None = None, channels: int | None = None, **options: Any
) -> FaceSet:
    """Loads the faces of a source.

    Args:
        source: ``NAME[:PATH][?option=value&...]``, or a mapping of ``source``, ``path``, ``size``, ``channels`` and
            options. Every source has the option ``margin``, which crops closer or extends the edges, see FaceSet.margin.
        size: side in pixels; None keeps the source's size.
        channels: 1 (grey) or 3 (RGB); None keeps the source's channels.
        **options: defaults for options that ``source`` does not set.

    Raises FaceletError for an unknown source or option, and for missing or damaged files.
    """
    name, path, given = _parts(source)
    if name not in SOURCES and name in PAIRS:
        raise FaceletError(
            f"{name!r} has pairs of faces, for measuring identity models: facelet eval MODEL --faces {name}:PATH"
        )
    return _read(_reader(name, source), name, path, {"size": size, "channels": channels, **options, **given})


def load_pairs(source: str | Mapping[str, Any], *, size: int | None = None, channels: int | None = None) -> PairSet:
    """Loads the pairs of a source. Arguments and errors as ``load``."""
    name, path, given = _parts(source)
    return _read(PAIRS[name], name, path, {"size": size, "channels": channels, **given})


def has_pairs(source: str) -> bool:
    """Whether the name of a written source is a source of pairs."""
    name = parse_source(source)[0]
    return name not in SOURCES and name in PAIRS


def _parts(source: str | Mapping[str, Any]) -> tuple[str, str, dict[str, Any]]:
    """Name, path and options of a source, from its written form or a recipe's mapping."""
    if not isinstance(source, Mapping):
        return parse_source(source)
    rest = dict(source)
    name, path, written = parse_source(str(rest.pop("source", "")))
    return name, str(rest.pop("path", None) or path), {**rest, **written}


def _read(reader: Callable[..., Faces], name: str, path: str, given: dict[str, Any]) -> Faces:
    """Validates the options ``given``, reads ``path`` with ``reader`` and fits the faces to size, channels and margin."""
    valid = [p.name for p in inspect.signature(reader).parameters.values() if p.kind is p.KEYWORD_ONLY]
    valid.append("margin")
    for option in given:
        if option not in valid:
            raise unknown(f"option of face source {name!r}", option, valid)
    if not path and _path_default(reader) is None:
        raise FaceletError(f"face source {name!r} needs a path: {name}:PATH")
    size, channels = _whole_number(given, "size"), _whole_number(given, "channels")
    if size is not None and not 8 <= size <= MAX_SIZE:
        raise FaceletError(f"size={size} should be 8 to {MAX_SIZE} pixels")
    if channels not in (None, 1, 3):
        raise FaceletError(f"channels={channels} should be 1 (grey) or 3 (RGB)")
    margin = _margin(given)
    options = {key: value for key, value in given.items() if key != "margin"}
    # A margin is a share of the face, so the faces are cropped at their own size and resized afterwards.
    fixed = {"size": size if margin is None else None, "channels": channels}
    faces = reader(path or _path_default(reader), **{**_typed(reader, options), **fixed})
    fitted: Faces = faces.fitted(size or faces.size, channels or faces.channels, margin)
    larger = fitted.size > faces.size
    if larger or (margin is None and fitted.size < faces.size):  # a pack, or another source of faces of one size
        how = "enlarged" if larger else "shrunk"
        note = f"faces of {faces.size} px, {how} to {fitted.size} px as asked (size={faces.size} keeps them)"
        return replace(fitted, notes=(*fitted.notes, note))
    return fitted


def _reader(name: str, source: str | Mapping[str, Any]) -> Source:
    """The function of a source. Raises FaceletError; for a bare path it says that a source's name must precede it."""
    if name not in SOURCES and isinstance(source, str) and Path(source).expanduser().exists():
        kind = "pack" if source.endswith(".pack") else "folder"
        others = ", ".join(f"{other}:" for other in SOURCES if other != kind and _path_default(SOURCES[other]) is None)
        raise FaceletError(f"{source!r} has no source name, expected {kind}:{source} (or {others})")
    return SOURCES[name]


def _path_default(reader: Callable[..., Any]) -> Any:
    """The default of a source's path; None when the path is required."""
    default = next(iter(inspect.signature(reader).parameters.values())).default
    return None if default is inspect.Parameter.empty else default


def _margin(given: Mapping[str, Any]) -> float | None:
    if given.get("margin") is None:
        return None
    margin = float(_converted("margin", given["margin"], 0.0))
    if not -0.4 <= margin <= 1:
        raise FaceletError(f"option margin={margin:g} should be -0.4 to 1, a share of the face on each side")
    return margin


def _whole_number(given: Mapping[str, Any], name: str) -> int | None:
    value = given.get(name)
    try:
        return None if value is None else int(str(value))
    except ValueError:
        raise FaceletError(f"option {name}={value!r} should be a whole number") from None


def _typed(reader: Callable[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Options, from text or a recipe, converted to the types of the source's defaults (int, float, bool or str)."""
    defaults = {p.name: p.default for p in inspect.signature(reader).parameters.values()}
    return {name: _converted(name, value, defaults[name]) for name, value in given.items()}


def _converted(name: str, value: Any, default: Any) -> Any:
    kind = type(default)
    if value is None or default is None or (kind is not float and type(value) is kind):
        return value
    text = ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    try:
        if kind is bool:
            return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}[text.lower()]
        return kind(text)
    except (KeyError, ValueError):
        expected = {int: "a whole number", float: "a number", bool: "yes or no"}.get(kind, kind.__name__)
        raise FaceletError(f"option {name}={value!r} should be {expected}") from None
