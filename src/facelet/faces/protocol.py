"""The protocol of a measurement: source, rule, classes, exact counts and a hash of the split.

Comparing two results with different protocols raises an error.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from facelet.errors import FaceletError

FACES = "faces"
"""Key in ``counts`` for faces without classes."""

SHOWN = 4
"""Number of differences listed in an error."""


@dataclass(frozen=True)
class Protocol:
    """Source and split of a set of faces.

    Attributes:
        source: name of the face source, such as "ferplus".
        rule: how labels were decided, such as "majority"; "" when the source has only one rule.
        classes: label names in label order.
        counts: split -> class -> number of faces; splits without faces are absent. Without classes: split -> FACES -> number.
        split_hash: SHA-256 over the sorted "split/name/label" lines, first 16 hex digits.
        notes: warnings that apply to every figure with this protocol, such as "leaky: ...". They are not part of the hash or of
            comparisons.
    """

    source: str
    rule: str
    classes: tuple[str, ...]
    counts: Mapping[str, Mapping[str, int]] = field(hash=False)
    split_hash: str
    notes: tuple[str, ...] = ()

    @property
    def hash(self) -> str:
        """Eight hex digits that identify the protocol, without its notes, in tables."""
        return _digest({**self.to_json(), "notes": []})

    def has_hash(self, value: str) -> bool:
        """Whether ``value`` is this protocol's hash, in the current form or that of earlier versions, which included the notes."""
        return value in (self.hash, _digest(self.to_json()))

    def total(self, split: str) -> int:
        return sum(self.counts.get(split, {}).values())

    def __str__(self) -> str:
        sizes = " / ".join(f"{split} {self.total(split):,}" for split in self.counts)
        rule = f" ({self.rule})" if self.rule else ""
        classes = f", {len(self.classes)} classes" if self.classes else ""
        return f"{self.source}{rule}{classes}, {sizes} [{self.hash}]"

    def require_same(self, other: Protocol) -> None:
        """Raises FaceletError with the differences unless both protocols are the same."""
        left, right = self._identity(), other._identity()
        different = [key for key in {**left, **right} if left.get(key) != right.get(key)]
        if different:
            listed = "; ".join(f"{key}: {left.get(key)!r} and {right.get(key)!r}" for key in different[:SHOWN])
            more = f"; and {len(different) - SHOWN} more" * (len(different) > SHOWN)
            raise FaceletError(
                f"results under different protocols cannot be compared: {self} and {other} differ in {listed}{more}"
            )

    def _identity(self) -> dict[str, Any]:
        """The fields that identify a protocol, without notes, as a flat mapping."""
        value = self.to_json()
        counts = {
            f"{split} faces of {name}": number for split, row in value["counts"].items() for name, number in row.items()
        }
        return {key: value[key] for key in ("source", "rule", "classes")} | counts | {"split_hash": value["split_hash"]}

    def to_json(self) -> dict[str, Any]:
        return json.loads(json.dumps(asdict(self)))

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Protocol:
        """The protocol from JSON. Raises FaceletError when ``value`` is not a protocol."""
        try:
            classes, notes = tuple(map(str, value["classes"])), tuple(map(str, value.get("notes", ())))
            counts = {
                str(split): {str(name): int(n) for name, n in row.items()} for split, row in value["counts"].items()
            }
            texts = {key: str(value[key]) for key in ("source", "rule", "split_hash")}
        except (AttributeError, KeyError, TypeError, ValueError):
            raise FaceletError(f"damaged protocol: {str(value)[:100]}") from None
        return cls(**texts, classes=classes, counts=counts, notes=notes)


def _digest(value: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:8]
