"""Curves of the report: ROC of verification models, and accuracy against time of early-exit models.

>>> svg = roc_plot({"student": result, "teacher": other}, {"student": 0, "teacher": 1})
>>> svg = trade({"light-early": [{"mean_ms": 0.4, "accuracy": 0.8, "macs": 9e6, "threshold": 0.9}, ...]}, {"light-early": 2})

Left of the dashed line of the ROC plot there are too few different-person pairs for an estimate. The early-exit curve uses the
validation faces on which the threshold was chosen; the ledger has the test metrics at the chosen threshold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from facelet.measure.report.svg import INK, MUTED, PAPER, drawing, marker, series, short
from facelet.measure.verification import PairScores

LEFT = 3.0
"""The axis starts at the smallest measurable FAR divided by this factor."""


def roc_plot(results: Mapping[str, PairScores], numbers: Mapping[str, int]) -> str:
    """Returns TAR against FAR (log) as SVG, with Wilson's interval at each of FARS; "" without results.

    ``numbers``: colour number of each model.
    """
    if not results:
        return ""
    least = max(result.smallest_far for result in results.values())
    lows = [100.0]
    with drawing(430, 330) as sheet:
        axes = sheet.axes()
        axes.set_xscale("log")
        for name, result in results.items():
            colour, curve = series(numbers.get(name, 0)), result.curve
            shown = np.maximum(curve.far, least / LEFT)
            axes.plot(
                100 * shown, 100 * curve.tar, color=colour, lw=1.6, drawstyle="steps-post", label=short(name), zorder=2
            )
            for point in map(result.at_far, result.supported):
                far = max(point.far, least / LEFT)
                axes.plot(
                    [100 * far] * 2, [100 * point.tar_low, 100 * point.tar_high], color=colour, lw=1.4, alpha=0.65
                )
                style = {"ms": 7, "mfc": colour, "mec": PAPER, "mew": 0.8, "zorder": 3}
                axes.plot(100 * far, 100 * point.tar, marker(numbers.get(name, 0)), **style)
            lows.append(100 * float(curve.tar[np.searchsorted(curve.far, least, side="right") - 1]))
        axes.axvline(100 * least, color=MUTED, lw=1, ls=(0, (2, 3)))
        bottom = max(0.0, min(lows) - 0.6 * (100 - min(lows)) - 1)
        axes.set_xlim(100 * least / LEFT, 100)
        axes.set_ylim(bottom, 100 + 0.02 * (100 - bottom))
        ticks = [tick for tick in (0.001, 0.01, 0.1, 1, 10, 100) if 100 * least / LEFT <= tick]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
        axes.set_xlabel("false accept rate (FAR), % (log)")
        axes.set_ylabel("true accept rate (TAR), %")
        axes.legend(frameon=False, fontsize=11, labelcolor=INK, handlelength=1.6, loc="lower right")
    return sheet.svg


AXES = {"mean_ms": "mean time per face, ms", "macs": "mean MACs per face, millions"}


def trade(curves: Mapping[str, Sequence[Mapping[str, Any]]], numbers: Mapping[str, int], axis: str = "mean_ms") -> str:
    """Returns validation accuracy against "mean_ms" or "macs" as SVG, with a line per model; "" without curves.

    The first point of a curve always runs the whole net (hollow marker), the second is the file's threshold (filled).
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
