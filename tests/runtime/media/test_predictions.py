"""Photos in, one Prediction a file out, whatever is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from facelet.errors import FaceletError
from facelet.runtime.analyzer import Analyzer
from facelet.runtime.media.predictions import predictions


@pytest.fixture
def files(studio):
    Path("torn.png").write_bytes(b"torn")
    return [
        Path(studio.photo("a.png", 1)),
        Path("torn.png"),
        Path(studio.photo("none.png")),
        Path(studio.photo("b.png", 1, 2)),
    ]


@pytest.mark.parametrize("cropped", [False, True])
def test_one_a_file_in_order(files, tiny, cropped):
    found = list(predictions(Analyzer(tiny), files, cropped))
    assert [result.file for result in found] == files
    assert [len(result.faces) for result in found] == ([1, 0, 1, 1] if cropped else [1, 0, 0, 2])
    assert "not a readable image" in found[1].error
    assert found[1].to_json() == {"file": "torn.png", "error": found[1].error}
    assert found[3].size == (48, 24)
    assert found[3].to_json()["width"] == 48


def test_a_missing_detector_is_the_only_error(files, tiny, monkeypatch):
    def missing(file):
        raise FaceletError("no detector")

    monkeypatch.setattr("facelet.runtime.analyzer.Detector", missing)
    with pytest.raises(FaceletError, match="no detector"):
        next(predictions(Analyzer(tiny), files))
    assert len(list(predictions(Analyzer(tiny), files, cropped=True))) == 4
