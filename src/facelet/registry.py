"""Names to things: a decorator that registers, a lookup that suggests the nearest name.

>>> NETS: Registry[type] = Registry("net")
>>> @NETS.register("tiny")
... class Tiny: ...
>>> NETS["tiny"].__name__
'Tiny'
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from facelet.errors import unknown

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
            return thing

        return add

    def __getitem__(self, name: str) -> Thing:
        """Raises FaceletError, with the nearest name, when ``name`` is not registered."""
        if name not in self._things:
            raise unknown(self.kind, name, self._things)
        return self._things[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._things))

    def __contains__(self, name: object) -> bool:
        return name in self._things
