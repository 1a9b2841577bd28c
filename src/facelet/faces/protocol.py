"""What a number means: source, rule, classes, exact counts and a hash of the split.

Two results with different protocols refuse to be compared.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from facelet.errors import FaceletError

FACES = "faces"
"""What faces without classes are counted under."""

SHOWN = 4
"""Differences that an error names."""


@dataclass(frozen=True)
class Protocol:
    """Where faces came from and how they were split.

    Attributes:
        source: name of the face source, "ferplus".
        rule: how labels were decided, "majority"; "" when the source has only one way.
        classes: label names in label order.
        counts: split -> class -> number of faces; splits without faces are absent. Without classes: split -> FACES -> number.
        split_hash: SHA-256 over the sorted "split/name/label" lines, first 16 hex digits.
        notes: warnings that belong to every number made with it, such as "leaky: ...". They describe and do not identify:
            neither the hash nor a comparison reads them.
    """

    source: str
    rule: str
    classes: tuple[str, ...]
    counts: Mapping[str, Mapping[str, int]] = field(hash=False)
    split_hash: str
    notes: tuple[str, ...] = ()

    @property
    def hash(self) -> str:
        """Eight hex digits that stand for the protocol, but for its notes, in tables."""
        return _digest({**self.to_json(), "notes": []})

    def has_hash(self, value: str) -> bool:
        """Whether ``value`` is this protocol's hash, today's or the one of earlier versions, which covered the notes."""
        return value in (self.hash, _digest(self.to_json()))

    def total(self, split: str) -> int:
        return sum(self.counts.get(split, {}).values())

    def __str__(self) -> str:
        sizes = " / ".join(f"{split} {self.total(split):,}" for split in self.counts)
        rule = f" ({self.rule})" if self.rule else ""
        classes = f", {len(self.classes)} classes" if self.classes else ""
        return f"{self.source}{rule}{classes}, {sizes} [{self.hash}]"

    def require_same(self, other: Protocol) -> None:
        """Raises FaceletError, naming what differs, unless both protocols are the same."""
        mine, theirs = self._identity(), other._identity()
        different = [key for key in {**mine, **theirs} if mine.get(key) != theirs.get(key)]
        if different:
            listed = "; ".join(f"{key}: {mine.get(key)!r} and {theirs.get(key)!r}" for key in different[:SHOWN])
            more = f"; and {len(different) - SHOWN} more" * (len(different) > SHOWN)
            raise FaceletError(
                f"results under different protocols cannot be compared: {self} and {other} differ in {listed}{more}"
            )

    def _identity(self) -> dict[str, Any]:
        """What makes two protocols the same, flat, so that a difference can be named: no notes."""
        value = self.to_json()
        counts = {
            f"{split} faces of {name}": number for split, row in value["counts"].items() for name, number in row.items()
        }
        return {key: value[key] for key in ("source", "rule", "classes")} | counts | {"split_hash": value["split_hash"]}

    def to_json(self) -> dict[str, Any]:
        return json.loads(json.dumps(asdict(self)))

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Protocol:
        """Raises FaceletError when ``value``, which may come out of anybody's file, is none."""
        try:
            classes, notes = tuple(map(str, value["classes"])), tuple(map(str, value.get("notes", ())))
            counts = {
                str(split): {str(name): int(n) for name, n in some.items()} for split, some in value["counts"].items()
            }
            texts = {key: str(value[key]) for key in ("source", "rule", "split_hash")}
        except (AttributeError, KeyError, TypeError, ValueError):
            raise FaceletError(f"a protocol is damaged, or none: {str(value)[:100]}") from None
        return cls(**texts, classes=classes, counts=counts, notes=notes)


def _digest(value: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:8]
