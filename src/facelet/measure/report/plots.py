"""Plots of the report; each function returns inline SVG.

>>> svg = pareto(ledger.summaries(), "p50_ms", "latency p50, ms (log)")

Points are from one run on one machine. Use the intervals to judge whether two of them differ.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from facelet.measure.classification import Classification
from facelet.measure.ledger.ledger import Summary
from facelet.measure.metrics.intervals import wilson
from facelet.measure.report.svg import INK, MUTED, PAPER, drawing, marker, series, short

Curve = Sequence[Mapping[str, Any]]
Box = tuple[float, float, float, float]
Line = tuple[tuple[float, float], tuple[float, float]]
PLACES = (
    *((dx, dy, "left" if dx > 0 else "right") for dy in (0, 14, -14) for dx in (11, -11)),
    (0, 24, "center"),
    (0, -24, "center"),
)
"""Possible places of a point's name: offsets in pixels and the text's alignment, best first."""
HIDDEN = 0.15
"""Share of a control's name that may be covered; beyond it the name is left out."""


def colours(summaries: Sequence[Summary]) -> dict[str, int]:
    """Returns the colour number of each model; a control has the colour of the model it controls for."""
    numbers: dict[str, int] = {}
    for summary in summaries:
        if not summary.row.control:
            numbers[summary.row.name] = len(numbers)
    for summary in summaries:
        if summary.row.control:
            numbers[summary.row.name] = numbers.get(summary.row.against, len(numbers))
    return numbers


def pareto(summaries: Sequence[Summary], axis: str, label: str, annotator: float | None = None) -> str:
    """Returns accuracy with its interval against ``axis`` ("p50_ms" or "bytes", log) as SVG; "" when no model has ``axis``.

    Arrows lead from parents to children; controls are hollow. ``annotator``: share of faces on which one annotator agrees with
    the label, drawn as a line if it is near the accuracies.
    """
    shown = [summary for summary in summaries if getattr(summary.row, axis) > 0]
    if not shown:
        return ""
    numbers = colours(summaries)
    scale = 1e6 if axis == "bytes" else 1.0
    place = {s.row.name: (getattr(s.row, axis) / scale, 100 * s.row.accuracy) for s in shown}
    with drawing(430, 330) as sheet:
        axes = sheet.axes()
        axes.set_xscale("log")
        for summary in shown:
            row = summary.row
            x, y = place[row.name]
            if _arrow(summary, place):
                axes.annotate(
                    "",
                    (x, y),
                    place[row.parent],
                    arrowprops={
                        "arrowstyle": "-|>",
                        "color": MUTED,
                        "lw": 1,
                        "shrinkA": 7,
                        "shrinkB": 8,
                        "mutation_scale": 9,
                    },
                )
            colour = series(numbers[row.name])
            low, high = _reach(summary)
            axes.plot([x, x], [low, high], color=colour, lw=1.4, alpha=0.65)
            axes.plot(
                x,
                y,
                marker(numbers[row.name]),
                ms=8.5,
                mfc=PAPER if row.control else colour,
                mec=colour,
                mew=1.8,
                zorder=3,
            )
        lows, highs = zip(*(_reach(summary) for summary in shown), strict=True)
        bottom, top = min(lows), max(highs)
        near = 2 * (top - bottom)
        if annotator is not None and bottom - near < 100 * annotator < top + near:
            bottom, top = min(bottom, 100 * annotator), max(top, 100 * annotator)
            axes.axhline(100 * annotator, color=MUTED, lw=1, ls=(0, (2, 3)))
            axes.annotate(
                f"one annotator, {100 * annotator:.1f} %",
                (1, 100 * annotator),
                xycoords=("axes fraction", "data"),
                xytext=(0, 4),
                textcoords="offset points",
                ha="right",
                color=MUTED,
                fontsize=11,
            )
        room = max(top - bottom, 1.0)
        axes.set_ylim(bottom - 0.1 * room, top + 0.12 * room)
        xs = [x for x, _ in place.values()]
        axes.set_xlim(min(xs) / 2.2, max(xs) * 2.2)
        _plain_log_ticks(axes, *axes.get_xlim())
        axes.set_xlabel(label)
        axes.set_ylabel("accuracy, %")
        sheet.figure.draw_without_rendering()
        lines = [
            ((place[s.row.name][0], low), (place[s.row.name][0], high)) for s in shown for low, high in [_reach(s)]
        ]
        lines += [(place[s.row.parent], place[s.row.name]) for s in shown if _arrow(s, place)]
        controls = {s.row.name for s in shown if s.row.control}
        names = sorted(place, key=lambda name: name in controls)
        _name_points(axes, {name: (*place[name], series(numbers[name])) for name in names}, lines, controls)
    return sheet.svg


def learning_curves(curves: Mapping[str, Curve], summaries: Sequence[Summary], column: str, label: str) -> str:
    """Returns ``column`` of each model's ``curves.csv`` by epoch as SVG; "" when no row has it.

    Further seeds ("student-s1") are thin, controls dashed.
    """
    numbers = colours(summaries)
    controls = {s.row.name for s in summaries if s.row.control}
    with drawing(430, 290) as sheet:
        axes = sheet.axes("y")
        drawn = False
        for name, rows in curves.items():
            points = {_number(row.get("epoch")): _number(row.get(column)) for row in rows}
            points = {epoch: value for epoch, value in points.items() if math.isfinite(epoch) and math.isfinite(value)}
            base = name if name in numbers else re.sub(r"-s\d+$", "", name)
            if not points:
                continue
            epochs = sorted(points)
            values = [points[epoch] * (100 if "accuracy" in column else 1) for epoch in epochs]
            style: dict[str, Any] = {"color": series(numbers.get(base, len(numbers)))}
            style |= {"lw": 1, "alpha": 0.6} if base != name else {"label": short(name)}
            if base in controls:
                style |= {"ls": (0, (3, 2))}
            if len(epochs) == 1:
                style |= {"marker": "o"}
            axes.plot(epochs, values, **style)
            drawn = True
        if not drawn:
            return ""
        axes.set_xlabel("epoch")
        axes.set_ylabel(label)
        axes.xaxis.get_major_locator().set_params(integer=True)
        if len(axes.get_legend_handles_labels()[0]) > 1:
            axes.legend(frameon=False, fontsize=11, labelcolor=INK, handlelength=1.6)
    return sheet.svg


def reliability_diagram(result: Classification, number: int) -> str:
    """Returns accuracy against confidence as SVG, with intervals; a marker's area is proportional to its number of faces."""
    bins = [b for b in result.all.bins if b.n]
    largest = max(b.n for b in bins)
    with drawing(260, 245) as sheet:
        axes = sheet.axes()
        axes.plot([0, 100], [0, 100], color=MUTED, lw=1, ls=(0, (2, 3)))
        sure, right = [100 * b.confidence for b in bins], [100 * b.accuracy for b in bins]
        ends = [wilson(round(b.accuracy * b.n), b.n) for b in bins]
        axes.vlines(
            sure, [100 * low for low, _ in ends], [100 * high for _, high in ends], color=series(number), alpha=0.35
        )
        sizes = [16 + 130 * b.n / largest for b in bins]
        axes.scatter(
            sure, right, s=sizes, color=series(number), edgecolors=PAPER, linewidths=0.8, zorder=3, clip_on=False
        )
        axes.set_xlim(0, 100)
        axes.set_ylim(0, 100)
        axes.set_xticks([0, 25, 50, 75, 100])
        axes.set_yticks([0, 25, 50, 75, 100])
        axes.set_xlabel("confidence, %")
        axes.set_ylabel("accuracy, %")
    return sheet.svg


def _arrow(summary: Summary, place: Mapping[str, Any]) -> bool:
    return summary.row.parent in place and not summary.row.control


def _reach(summary: Summary) -> tuple[float, float]:
    """Returns the ends of a point's error bar in percent: the interval or, for several seeds, one standard deviation."""
    row = summary.row
    if summary.seeds > 1:
        return 100 * (row.accuracy - summary.accuracy.sd), 100 * (row.accuracy + summary.accuracy.sd)
    return 100 * row.accuracy_low, 100 * row.accuracy_high


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def _plain_log_ticks(axes: Any, low: float, high: float) -> None:
    """Sets log ticks at 1, 2, 5, 10 ... in plain digits."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    wide = high / low > 300
    ticks = [m * 10.0**d for d in decades for m in ((1,) if wide else (1, 2, 5)) if low <= m * 10.0**d <= high]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()


def _name_points(
    axes: Any, points: Mapping[str, tuple[float, float, str]], lines: Sequence[Line], controls: Collection[str]
) -> None:
    """Writes each point's name beside it, where it overlaps least with points, lines and other names.

    Names of ``controls`` are left out where they would be covered; their colour identifies them.
    """
    dots = {name: axes.transData.transform((x, y)) for name, (x, y, _) in points.items()}
    taken = [(x - 7, y - 7, x + 7, y + 7) for x, y in dots.values()]
    for line in lines:
        (x0, y0), (x1, y1) = axes.transData.transform(line)
        for k in range(61):
            x, y = x0 + (x1 - x0) * k / 60, y0 + (y1 - y0) * k / 60
            taken.append((x - 2, y - 2, x + 2, y + 2))
    for name, (x, y, colour) in points.items():
        text = short(name, 22)
        choices = [(_box(dots[name], place, 7.2 * len(text)), place) for place in PLACES]
        costs = [sum(_overlap(box, other) for other in taken) + _outside(box, axes.bbox) for box, _ in choices]
        box, (dx, dy, side) = choices[costs.index(min(costs))]
        if name in controls and min(costs) > HIDDEN * (box[2] - box[0]) * (box[3] - box[1]):
            continue
        taken.append(box)
        beside = {"xytext": (dx, dy), "textcoords": "offset points", "ha": side, "va": "center"}
        axes.annotate(text, (x, y), color=colour, fontsize=12, fontweight="bold", **beside)


def _box(dot: Sequence[float], place: tuple[int, int, str], width: float) -> Box:
    x, y = dot[0] + place[0] - {"left": 0, "center": width / 2, "right": width}[place[2]], dot[1] + place[1]
    return x, y - 6.5, x + width, y + 6.5


def _outside(box: Box, frame: Any) -> float:
    """Returns a penalty for the part of a box outside the frame, comparable with an overlap in square pixels."""
    over = (frame.x0 - box[0], frame.y0 - box[1], box[2] - frame.x1, box[3] - frame.y1)
    return 20 * sum(max(reach, 0.0) for reach in over)


def _overlap(a: Box, b: Box) -> float:
    return max(min(a[2], b[2]) - max(a[0], b[0]), 0.0) * max(min(a[3], b[3]) - max(a[1], b[1]), 0.0)
