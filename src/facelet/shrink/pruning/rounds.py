"""Pruning in rounds: each round prunes a part and fine-tunes in its own folder, where a killed run resumes.

>>> rounds = [Round(number, 3, folder) for number in (1, 2, 3)]
>>> rounds[0].share, rounds[2].share     # of the fine-tuning
(0.25, 0.5)

A round's folder is a training folder that also contains ``cut-FINGERPRINT.safetensors``, the pruned net, until the round ends.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from facelet import nets
from facelet.io import files
from facelet.nets import FaceNet, NetSpec

POLL = 0.5
"""Seconds between checks for the file of the leading process."""


@dataclass(frozen=True)
class Round:
    """Round ``number`` (starting at 1) of ``count``; ``step``: folder of the step."""

    number: int
    count: int
    step: Path

    @property
    def folder(self) -> Path:
        return self.step / f"round{self.number}"

    @property
    def share(self) -> float:
        """Share of the fine-tuning: half for the last round, the rest in equal parts for the others."""
        if self.count == 1:
            return 1.0
        return 0.5 if self.number == self.count else 0.5 / (self.count - 1)

    def part(self, steps: int) -> int:
        """Returns this round's part of the ``steps`` of all rounds, at least 1."""
        first = 0.5 * (self.number - 1) / max(1, self.count - 1)
        return max(1, round(steps * (first + self.share)) - round(steps * first))

    def widths(self, now: Mapping[str, int], final: Mapping[str, int], units: Mapping[str, int]) -> dict[str, int]:
        """Returns the widths after this round: an equal part of the remaining reduction, in multiples of ``units``.

        Returns ``final`` for the last round.
        """
        left = self.count - self.number + 1
        if left == 1:
            return dict(final)
        return {
            name: width - round((width - final[name]) / left / units[name]) * units[name] for name, width in now.items()
        }

    def cut(
        self, fingerprint: str, leads: bool, make: Callable[[], tuple[FaceNet, NetSpec]]
    ) -> tuple[FaceNet, NetSpec]:
        """Returns this round's pruned net, created by ``make`` in the leading process; the others wait for its file."""
        return once(self.folder / f"cut-{fingerprint}.safetensors", leads, make)

    def clear(self) -> None:
        """Removes the files that only a resume needs."""
        for path in self.folder.glob("cut-*.safetensors"):
            path.unlink(missing_ok=True)


def once(path: Path, leads: bool, make: Callable[[], tuple[FaceNet, NetSpec]]) -> tuple[FaceNet, NetSpec]:
    """Returns the net in ``path``; the leading process creates a missing file, the others wait for it."""
    if leads and not path.exists():
        nets.save(*make(), path)
    while not path.exists():
        time.sleep(POLL)
    return nets.load(path)


def join_curves(rounds: Sequence[Round], target: Path) -> None:
    """Concatenates the rounds' ``curves.csv``; epochs, steps and seconds continue from round to round."""
    lines, before = [], {"epoch": 0.0, "step": 0.0, "seconds": 0.0}
    for each in rounds:
        with (each.folder / "curves.csv").open(newline="", encoding="utf-8") as file:
            points = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
        joined = [{key: value + before.get(key, 0.0) for key, value in point.items()} for point in points]
        lines += [",".join(f"{value:.6g}" for value in point.values()) for point in joined]
        before = {key: joined[-1][key] for key in before}
    files.write_text(target, "\n".join([",".join(joined[-1]), *lines]) + "\n")
