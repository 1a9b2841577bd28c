from __future__ import annotations

from facelet.measure.report.svg import drawing, series


def test_drawing_leaves_matplotlibs_settings_alone():
    import matplotlib

    before = dict(matplotlib.rcParams)
    with drawing(100, 100) as sheet:
        sheet.axes().plot([0, 1], color=series(7))
    assert dict(matplotlib.rcParams) == before
    assert sheet.svg.startswith("<svg viewBox=")
    assert "var(--c1)" in sheet.svg
