"""Pruning in rounds: each cuts a part of the way and fine-tunes in a folder of its own, so that a killed one resumes there.

>>> rounds = [Round(number, 3, folder) for number in (1, 2, 3)]
>>> rounds[0].share, rounds[2].share     # of the fine-tuning
(0.25, 0.5)

A round's folder is that of a training, with ``cut-FINGERPRINT.safetensors`` in it while it lasts: the net as it was cut.
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
"""Seconds between looks for what the first process writes."""


@dataclass(frozen=True)
class Round:
    """Round ``number``, from 1, of ``count``; ``step``: folder of the step."""

    number: int
    count: int
    step: Path

    @property
    def folder(self) -> Path:
        return self.step / f"round{self.number}"

    @property
    def share(self) -> float:
        """Of the fine-tuning: the last round gets half, the others the rest in equal parts."""
        if self.count == 1:
            return 1.0
        return 0.5 if self.number == self.count else 0.5 / (self.count - 1)

    def part(self, steps: int) -> int:
        """Of the ``steps`` of all rounds, those of this one, at least one."""
        first = 0.5 * (self.number - 1) / max(1, self.count - 1)
        return max(1, round(steps * (first + self.share)) - round(steps * first))

    def widths(self, now: Mapping[str, int], final: Mapping[str, int], units: Mapping[str, int]) -> dict[str, int]:
        """Layers' widths after this round: an equal part of what is left to cut, in whole units; ``final`` in the last one."""
        left = self.count - self.number + 1
        if left == 1:
            return dict(final)
        return {
            name: width - round((width - final[name]) / left / units[name]) * units[name] for name, width in now.items()
        }

    def cut(
        self, fingerprint: str, leads: bool, make: Callable[[], tuple[FaceNet, NetSpec]]
    ) -> tuple[FaceNet, NetSpec]:
        """The net as this round cut it: by ``make``, once, in the process that leads; the others wait for its file."""
        return once(self.folder / f"cut-{fingerprint}.safetensors", leads, make)

    def clear(self) -> None:
        """Removes what only a resume would need."""
        for path in self.folder.glob("cut-*.safetensors"):
            path.unlink(missing_ok=True)


def once(path: Path, leads: bool, make: Callable[[], tuple[FaceNet, NetSpec]]) -> tuple[FaceNet, NetSpec]:
    """The net in ``path``, made by the process that leads where it is not there yet; the others wait for it."""
    if leads and not path.exists():
        nets.save(*make(), path)
    while not path.exists():
        time.sleep(POLL)
    return nets.load(path)


def join_curves(rounds: Sequence[Round], target: Path) -> None:
    """Writes the rounds' ``curves.csv`` one after the other as one, epochs, steps and seconds counted on."""
    lines, before = [], {"epoch": 0.0, "step": 0.0, "seconds": 0.0}
    for each in rounds:
        with (each.folder / "curves.csv").open(newline="", encoding="utf-8") as file:
            points = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
        joined = [{key: value + before.get(key, 0.0) for key, value in point.items()} for point in points]
        lines += [",".join(f"{value:.6g}" for value in point.values()) for point in joined]
        before = {key: joined[-1][key] for key in before}
    files.write_text(target, "\n".join([",".join(joined[-1]), *lines]) + "\n")
