"""card as it is typed: what reaches the measuring, and how mistakes end."""

from __future__ import annotations

import sys

import pytest

from facelet.cli import app as cli


def typed(monkeypatch, capsys, *words):
    """(exit code, standard output, standard error) of ``facelet card WORDS``."""
    monkeypatch.setattr(sys, "argv", ["facelet", "card", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    captured = capsys.readouterr()
    return ended.value.code, captured.out, captured.err


def test_the_options_reach_the_card(monkeypatch, capsys):
    asked = {}
    monkeypatch.setattr("facelet.cli.measure.card.command", lambda model, **options: asked.update(options, model=model))
    words = ["a.onnx", "--faces", "toy", "--faces", "toy?seed=1", "--people", "faces:p.zip", "--run", "runs/a"]
    assert typed(monkeypatch, capsys, *words, "--out", "a.md", "--into-file", "--threads", "1")[0] == 0
    assert (asked["model"], asked["faces"]) == ("a.onnx", ["toy", "toy?seed=1"])
    assert (asked["people"], asked["pairs"], asked["run"], asked["split"]) == ("faces:p.zip", [], "runs/a", "test")
    assert (asked["out"], asked["into_file"], asked["threads"]) == ("a.md", True, 1)
    assert typed(monkeypatch, capsys, "a.onnx", "--pairs", "lfw:l.zip", "--split", "val")[0] == 0
    assert (asked["faces"], asked["pairs"], asked["split"], asked["into_file"]) == ([], ["lfw:l.zip"], "val", False)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("gone.onnx",), "no model file 'gone.onnx'"),
        (("gone.onnx", "--faces", "toy"), "no model file"),
        ((), "Missing"),
    ],
)
def test_mistakes_end_with_2_and_a_word(monkeypatch, capsys, tmp_path, words, says):
    monkeypatch.chdir(tmp_path)
    code, out, err = typed(monkeypatch, capsys, *words)
    assert (code, out) == (2, "")
    assert says in err
    assert "Traceback" not in err
