"""The report's plot of models that stop early: what speed costs them.

>>> svg = trade({"light-early": [{"mean_ms": 0.4, "accuracy": 0.8, "macs": 9e6, "threshold": 0.9}, ...]}, {"light-early": 2})

On validation faces, where the threshold was chosen; the ledger has the chosen one's test figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from facelet.measure.report.svg import INK, PAPER, drawing, marker, series, short

AXES = {"mean_ms": "mean time of a face, ms", "macs": "mean MACs of a face, millions"}


def trade(curves: Mapping[str, Sequence[Mapping[str, Any]]], numbers: Mapping[str, int], axis: str = "mean_ms") -> str:
    """Validation accuracy against "mean_ms" or "macs", a line a model; "" without any.

    A curve's first point never stops early (hollow), its second is the one in the file (filled).
    """
    if not curves:
        return ""
    scale = 1e6 if axis == "macs" else 1.0
    with drawing(430, 290) as sheet:
        axes = sheet.axes()
        for name, points in curves.items():
            number = numbers.get(name, 0)
            places = [(point[axis] / scale, 100 * point["accuracy"]) for point in points]
            axes.plot(*zip(*sorted(places), strict=True), color=series(number), lw=1.2, alpha=0.8, label=short(name))
            for (x, y), fill in zip(places[:2], (PAPER, series(number)), strict=False):
                axes.plot(x, y, marker(number), ms=8.5, mfc=fill, mec=series(number), mew=1.8, zorder=3)
        axes.set_xlim(left=0)
        axes.set_xlabel(AXES[axis])
        axes.set_ylabel("validation accuracy, %")
        axes.legend(frameon=False, fontsize=11, labelcolor=INK, handlelength=1.6, loc="lower right")
    return sheet.svg
