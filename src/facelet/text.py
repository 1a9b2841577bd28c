"""How figures and foreign text are written.

>>> percent(0.8812), points(-0.0043), amount(1_260_779), megabytes(1_362_944)
('88.1 %', '−0.4 points', '1.26 M', '1.36 MB')

A megabyte is 1,000,000 bytes.
"""

from __future__ import annotations


def percent(share: float, digits: int = 1) -> str:
    return f"{100 * share:.{digits}f} %"


def signed(difference: float, digits: int = 1) -> str:
    """A difference of shares in percentage points with its sign; no sign on what rounds to nothing."""
    value = round(100 * difference, digits) or 0.0
    return f"{value:+.{digits}f}".replace("-", "−") if value else f"{0:.{digits}f}"


def hundredths(value: float) -> str:
    """Two digits behind the point; no sign on what rounds to nothing."""
    return f"{round(value, 2) + 0.0:.2f}"


def points(difference: float) -> str:
    return f"{signed(difference)} points"


def amount(count: float) -> str:
    """11_200_000 as "11.2 M": three figures."""
    for unit, word in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if count >= 0.9995 * unit:
            return f"{_three(count / unit)}{word}"
    return f"{count:.0f}"


def megabytes(size: float) -> str:
    return f"{_three(size / 1e6)} MB" if size >= 99_950 else f"{_three(size / 1e3)} kB"


def milliseconds(time: float) -> str:
    return f"{_three(time)} ms"


def times(ratio: float) -> str:
    """A ratio of sizes or speeds: "4.1×"."""
    return f"{ratio:.0f}×" if ratio >= 19.5 else f"{ratio:.1f}×"


def duration(seconds: float) -> str:
    """ "42 s", "12 min", "3 h 05 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02} min"


def _three(value: float) -> str:
    return f"{value:.0f}" if value >= 99.95 else f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"


def plain(text: str) -> str:
    """Text that every terminal and file takes: a file's name may be no valid UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")


def printable(text: str) -> str:
    """Without control characters but line ends and tabs: text out of a file may hold orders to the terminal."""
    return "".join(letter for letter in plain(text) if letter.isprintable() or letter in "\n\t")


def as_text(text: str) -> str:
    """Text that Markdown takes as text: one line, no table bars, HTML, code, links or pictures, no control characters."""
    line = "".join(letter for letter in " ".join(text.split()) if letter.isprintable())
    for special in ("\\", "|", "`", "](", "!["):
        line = line.replace(special, "".join(f"\\{letter}" for letter in special))
    return line.replace("<", "&lt;")
