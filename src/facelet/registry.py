"""A registry: a decorator that registers an object by name, and a lookup that suggests the nearest name.

>>> NETS: Registry[type] = Registry("net")
>>> @NETS.register("tiny")
... class Tiny: ...
>>> NETS["tiny"].__name__
'Tiny'

Unknown names are also looked up in installed plugins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

from facelet import plugins
from facelet.errors import FaceletError, nearest, unknown

Entry = TypeVar("Entry")


class Registry(Generic[Entry]):
    """A mapping from names to objects, filled by decorators. ``kind`` is the word for them in error messages."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, Entry] = {}

    def register(self, name: str) -> Callable[[Entry], Entry]:
        def add(entry: Entry) -> Entry:
            if name in self._entries:
                raise ValueError(f"{self.kind} {name!r} is registered twice")
            self._entries[name] = entry
            plugins.note(self.kind, name, entry)
            return entry

        return add

    def __getitem__(self, name: str) -> Entry:
        """The object registered as ``name``. Raises FaceletError, with the nearest name, when there is none."""
        if name not in self:
            raise self.unknown(name)
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        plugins.load_installed()
        return iter(sorted(self._entries))

    def __contains__(self, name: object) -> bool:
        if name not in self._entries:
            plugins.load_installed()
        return name in self._entries

    def unknown(self, name: str, more: Iterable[str] = ()) -> FaceletError:
        """The error for an unregistered ``name``; ``more``: further valid names."""
        valid = [*self, *more]
        hint = "" if nearest(name, valid) else "; a name from your own plugin file needs --plugin FILE"
        return FaceletError("; ".join([f"{unknown(self.kind, name, valid)}{hint}", *plugins.problems]))
