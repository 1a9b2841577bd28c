"""Names to things: a decorator that registers, a lookup that suggests the nearest name.

>>> NETS: Registry[type] = Registry("net")
>>> @NETS.register("tiny")
... class Tiny: ...
>>> NETS["tiny"].__name__
'Tiny'

A name that is not known is looked for in installed plugins before it is called unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

from facelet import plugins
from facelet.errors import FaceletError, nearest, unknown

Thing = TypeVar("Thing")


class Registry(Generic[Thing]):
    """A mapping that is filled by decorators. ``kind`` is the word used in its errors."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._things: dict[str, Thing] = {}

    def register(self, name: str) -> Callable[[Thing], Thing]:
        def add(thing: Thing) -> Thing:
            if name in self._things:
                raise ValueError(f"{self.kind} {name!r} is registered twice")
            self._things[name] = thing
            plugins.note(self.kind, name, thing)
            return thing

        return add

    def __getitem__(self, name: str) -> Thing:
        """Raises FaceletError, with the nearest name, when ``name`` is not registered."""
        if name not in self:
            raise self.unknown(name)
        return self._things[name]

    def __iter__(self) -> Iterator[str]:
        plugins.load_installed()
        return iter(sorted(self._things))

    def __contains__(self, name: object) -> bool:
        if name not in self._things:
            plugins.load_installed()
        return name in self._things

    def unknown(self, name: str, more: Iterable[str] = ()) -> FaceletError:
        """The error for a ``name`` that is not registered; ``more`` are valid names beside those that are."""
        valid = [*self, *more]
        hint = "" if nearest(name, valid) else "; one from a file of yours needs --plugin FILE"
        return FaceletError("; ".join([f"{unknown(self.kind, name, valid)}{hint}", *plugins.problems]))
