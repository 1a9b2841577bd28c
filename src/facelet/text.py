"""Formatting of numbers, and escaping of text from files.

>>> percent(0.8812), points(-0.0043), amount(1_260_779), megabytes(1_362_944)
('88.1 %', '−0.4 points', '1.26 M', '1.36 MB')

A megabyte is 1,000,000 bytes.
"""

from __future__ import annotations


def percent(share: float, digits: int = 1) -> str:
    """A share as a percentage: 0.8812 as "88.1 %"."""
    return f"{100 * share:.{digits}f} %"


def signed(difference: float, digits: int = 1) -> str:
    """A difference of shares in percentage points with its sign; no sign if it rounds to 0."""
    value = round(100 * difference, digits) or 0.0
    return f"{value:+.{digits}f}".replace("-", "−") if value else f"{0:.{digits}f}"


def hundredths(value: float) -> str:
    """A number with two decimal places; no sign if it rounds to 0."""
    return f"{round(value, 2) + 0.0:.2f}"


def points(difference: float) -> str:
    """A difference of shares in percentage points with its unit: -0.0043 as "−0.4 points"."""
    return f"{signed(difference)} points"


def amount(count: float) -> str:
    """A count with three significant digits: 11_200_000 as "11.2 M"."""
    for unit, word in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if count >= 0.9995 * unit:
            return f"{_three(count / unit)}{word}"
    return f"{count:.0f}"


def megabytes(size: float) -> str:
    """A size in bytes as kB or MB with three significant digits: 1_362_944 as "1.36 MB"."""
    return f"{_three(size / 1e6)} MB" if size >= 99_950 else f"{_three(size / 1e3)} kB"


def milliseconds(time: float) -> str:
    """A time in milliseconds with three significant digits: "0.81 ms"."""
    return f"{_three(time)} ms"


def times(ratio: float) -> str:
    """A ratio of sizes or speeds: "4.1×"."""
    return f"{ratio:.0f}×" if ratio >= 19.5 else f"{ratio:.1f}×"


def duration(seconds: float) -> str:
    """A time in seconds as "42 s", "12 min" or "3 h 05 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02} min"


def _three(value: float) -> str:
    return f"{value:.0f}" if value >= 99.95 else f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"


def plain(text: str) -> str:
    """Text that can be encoded as UTF-8, which some file names cannot."""
    return text.encode("utf-8", "replace").decode("utf-8")


def printable(text: str) -> str:
    """Text without control characters except line ends and tabs: text from a file may contain terminal escape sequences."""
    return "".join(letter for letter in plain(text) if letter.isprintable() or letter in "\n\t")


def as_text(text: str) -> str:
    """Escapes text for Markdown: one line, without control characters, table bars, HTML, code, links or images."""
    line = "".join(letter for letter in " ".join(text.split()) if letter.isprintable())
    for special in ("\\", "|", "`", "](", "!["):
        line = line.replace(special, "".join(f"\\{letter}" for letter in special))
    return line.replace("<", "&lt;")
