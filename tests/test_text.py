from __future__ import annotations

from facelet.text import amount, duration, megabytes, percent, points, times


def test_figures_as_text():
    counts = (0, 999, 1_260_779, 11_170_000, 2_300_000_000)
    assert [amount(v) for v in counts] == ["0", "999", "1.26 M", "11.2 M", "2.30 G"]
    sizes = (900, 1_362_944, 44_800_000, 250_000)
    assert [megabytes(v) for v in sizes] == ["0.90 kB", "1.36 MB", "44.8 MB", "0.25 MB"]
    assert [points(v) for v in (0.004, -0.004, -0.0004)] == ["+0.4 points", "−0.4 points", "0.0 points"]
    assert [duration(v) for v in (42, 720, 11_100)] == ["42 s", "12 min", "3 h 05 min"]
    assert (percent(0.8812), times(4.13), times(33.2)) == ("88.1 %", "4.1×", "33×")
