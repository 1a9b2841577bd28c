from __future__ import annotations

from facelet.measure.report.curves import roc_plot


def test_the_plot_has_a_line_a_model_and_is_empty_without(pair_scores):
    svg = roc_plot(
        {"student $x$": pair_scores["student"], "teacher": pair_scores["teacher"]}, {"student $x$": 0, "teacher": 1}
    )
    for part in ("<svg", "var(--c0)", "var(--c1)", "student $x$", "teacher", "(FAR), % (log)"):
        assert part in svg
    assert roc_plot({}, {}) == ""
