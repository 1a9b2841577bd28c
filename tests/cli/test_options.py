"""--min-score and --detail, as they are typed, on every command that looks for faces."""

from __future__ import annotations

import importlib
import sys

import pytest

from facelet.cli import app as cli
from facelet.cli.options import configured_detector
from facelet.runtime.detector import DETAIL, SCORE

COMMANDS = {
    "predict": ("predict", "a.jpg"),
    "crop": ("crop", "a.jpg", "--out", "o"),
    "verify": ("verify", "a.jpg", "b.jpg"),
    "enroll": ("enroll", "Anna", "a.jpg"),
    "identify": ("identify", "a.jpg"),
}


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_they_reach_the_detector(monkeypatch, words):
    asked = []
    module = importlib.import_module(f"facelet.cli.{'gallery' if words[0] == 'enroll' else words[0]}")
    monkeypatch.setattr(module, "configured_detector", lambda *settings: asked.append(settings) or "")
    monkeypatch.setattr(module, "enroll_photos" if words[0] == "enroll" else "command", lambda *_, **__: 0)
    monkeypatch.setattr(
        sys, "argv", ["facelet", *words, "--min-score", "0.8", "--detail", "1280", "--detector", "y.onnx"]
    )
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    assert asked == [("y.onnx", 0.8, 1280)]


def test_ready_crops_are_not_looked_for(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["facelet", "predict", "a.jpg", "--cropped", "--min-score", "0.8"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert "leave out --min-score and --detail" in capsys.readouterr().err


def test_json_and_csv_do_not_go_together(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["facelet", "predict", "a.jpg", "--json", "--csv"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert "use only one of --json and --csv" in capsys.readouterr().err


def test_other_settings_make_a_detector_and_none_leave_the_file(yunet):
    assert configured_detector("y.onnx") == "y.onnx"
    assert (configured_detector(yunet, 0.9).score, configured_detector(yunet, 0.9).detail) == (0.9, DETAIL)
    assert (configured_detector(yunet, detail=1280).score, configured_detector(yunet, detail=1280).detail) == (
        SCORE,
        1280,
    )
