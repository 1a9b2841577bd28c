"""The report's plot of verification: true accepts against false accepts, a line a model.

>>> svg = roc_plot({"student": result, "teacher": other}, {"student": 0, "teacher": 1})

Left of the dashed line there are too few pairs of two people to tell.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from facelet.measure.report.svg import INK, MUTED, PAPER, drawing, marker, series, short
from facelet.measure.verification import Verification

LEFT = 3.0
"""How far the axis reaches below the smallest FAR that is known, as a factor."""


def roc_plot(results: Mapping[str, Verification], numbers: Mapping[str, int]) -> str:
    """TAR against FAR (log) as SVG, with Wilson's interval at each of FARS; ``numbers``: of the colours. "" without results."""
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
        axes.set_xlabel("pairs of two people accepted (FAR), % (log)")
        axes.set_ylabel("pairs of one person accepted (TAR), %")
        axes.legend(frameon=False, fontsize=11, labelcolor=INK, handlelength=1.6, loc="lower right")
    return sheet.svg
