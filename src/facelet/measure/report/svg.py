"""Matplotlib figures as inline SVG with the page's colours (CSS variables), for light and dark mode.

>>> with drawing(440, 320) as sheet:
...     axes = sheet.axes()
...     axes.plot([0, 1], [0, 1], color=series(0))
>>> sheet.svg
'<svg ... stroke: var(--c0) ...'

Colours are drawn as placeholders and replaced in the SVG text. Fonts are those of the page, so text may be slightly wider than
matplotlib measured.
"""

from __future__ import annotations

import io
import itertools
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import matplotlib
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

INK, MUTED, LINE, PAPER = "#010101", "#010102", "#010103", "#010104"
SERIES = 6
MARKERS = "osD^vP"
_PLACEHOLDERS = {INK: "ink", MUTED: "muted", LINE: "line", PAPER: "paper"} | {
    f"#0101{k + 16:02x}": f"c{k}" for k in range(SERIES)
}
_STYLE: Any = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # names may hold dollar signs
    "font.size": 12,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "text.color": INK,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}
_numbers = itertools.count()


def series(number: int) -> str:
    """Returns the colour of the ``number``-th model; colours repeat after SERIES models, then ``marker`` differs."""
    return f"#0101{number % SERIES + 16:02x}"


def marker(number: int) -> str:
    """Returns the matplotlib marker of the ``number``-th model."""
    return MARKERS[(number // SERIES + number) % len(MARKERS)]


def short(name: str, length: int = 26) -> str:
    """Shortens a name to one line of at most ``length`` characters, with an ellipsis."""
    name = " ".join(name.split())
    return name if len(name) <= length else f"{name[: length - 1]}…"


class Sheet:
    """A figure of ``width`` x ``height`` CSS pixels; ``svg`` is set at the end of the ``drawing`` block."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self.figure = Figure(figsize=(width / 72, height / 72), dpi=72, layout="constrained")
        self.svg = ""

    def axes(self, grid: Literal["both", "x", "y"] = "both") -> Any:
        axes = self.figure.add_subplot()
        axes.grid(True, axis=grid)
        axes.tick_params(length=0, pad=5)
        return axes


@contextmanager
def drawing(width: float, height: float) -> Iterator[Sheet]:
    """Context with Facelet's matplotlib style; yields a Sheet and sets its ``svg`` on exit."""
    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the browser renders the text
        sheet = Sheet(width, height)
        yield sheet
        text = io.StringIO()
        FigureCanvasSVG(sheet.figure).print_svg(text, metadata={"Date": None, "Creator": None})
        sheet.svg = _themed(text.getvalue(), next(_numbers))


def _themed(svg: str, number: int) -> str:
    """Returns SVG for inline use: no prologue, metadata or comments, unique ids, CSS variables for the placeholders."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<svg [^>]*viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1" role="img">', svg, count=1)
    svg = re.sub(r'\bid="', f'id="g{number}-', svg)
    svg = re.sub(r'(url\(|href=")#', rf"\1#g{number}-", svg).replace("xlink:href", "href")
    svg = re.sub(r"font: ((?:[a-z0-9]+ )*)([\d.]+px) [^;\"]*", _font, svg)
    svg = re.sub(r"font-family: [^;\"]*;? ?", "", svg)
    for colour, name in _PLACEHOLDERS.items():
        svg = svg.replace(f": {colour}", f": var(--{name})")
    return re.sub(r"\n\s*", "\n", svg).strip()


def _font(match: re.Match[str]) -> str:
    """Returns a CSS font without its family."""
    return f"font-size: {match[2]}" + ("; font-weight: 600" if "bold" in match[1] or "700" in match[1] else "")
