"""--min-score, --detail and --turns, as they are typed, on every command that looks for faces."""

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
    settings = ("--min-score", "0.8", "--detail", "1280", "--turns", "always", "--detector", "y.onnx")
    monkeypatch.setattr(sys, "argv", ["facelet", *words, *settings])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    assert [found[:4] for found in asked] == [("y.onnx", 0.8, 1280, "always")]
    assert not any(asked[0][4:]), "photos are no video"


def test_ready_crops_are_not_looked_for(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["facelet", "predict", "a.jpg", "--cropped", "--min-score", "0.8"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert "leave out --min-score, --detail and --turns" in capsys.readouterr().err


def test_json_and_csv_do_not_go_together(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["facelet", "predict", "a.jpg", "--json", "--csv"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert "use only one of --json and --csv" in capsys.readouterr().err


def settings_of(detector) -> tuple:
    return detector.score, detector.detail, detector.turns


def test_other_settings_make_a_detector_and_none_leave_the_file(yunet):
    assert configured_detector("y.onnx") == "y.onnx"
    assert settings_of(configured_detector(yunet, 0.9)) == (0.9, None, "auto")
    assert settings_of(configured_detector(yunet, detail=1280)) == (SCORE, 1280, "auto")
    assert settings_of(configured_detector(yunet, turns="never")) == (SCORE, None, "never")


def test_a_video_has_settings_of_its_own(yunet, monkeypatch):
    assert settings_of(configured_detector(yunet, frames=True)) == (SCORE, DETAIL, "never")
    assert settings_of(configured_detector(yunet, 0.9, 1280, "auto", frames=True)) == (0.9, 1280, "auto")
    asked = []
    for command in ("predict", "identify"):
        module = importlib.import_module(f"facelet.cli.{command}")
        monkeypatch.setattr(module, "configured_detector", lambda *settings: asked.append(settings) or "")
        monkeypatch.setattr(module, "command", lambda *_, **__: 0)
        monkeypatch.setattr(sys, "argv", ["facelet", command, "rtsp://camera/1"])
        with pytest.raises(SystemExit):
            cli.main()
    assert asked == [("", None, None, "", True)] * 2


def test_an_unknown_choice_of_turns(monkeypatch, capsys, yunet):
    monkeypatch.setattr(sys, "argv", ["facelet", "predict", "a.jpg", "--turns", "allways", "--detector", str(yunet)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert "unknown choice of turns 'allways', did you mean 'always'?" in capsys.readouterr().err
