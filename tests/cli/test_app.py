"""The command: what stands in no other room's tests."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import yaml
from typer.testing import CliRunner

import facelet
from facelet.cli import app as cli
from facelet.errors import FaceletError


def test_a_recipe_is_printed_as_it_is(monkeypatch):
    text = "title: " + "long " * 60 + "[bold]\n"
    monkeypatch.setattr("facelet.recipes.presets.text_of", lambda name: text)
    shown = CliRunner().invoke(cli.app, ["recipes", "tsnet"]).stdout
    assert shown == text
    assert yaml.safe_load(shown)["title"].endswith("[bold]")


def test_models_as_they_are_typed(monkeypatch, shelf):
    asked = []
    monkeypatch.setattr("facelet.cli.models.command", lambda name, **options: asked.append((name, options)))
    for words in (["models"], ["models", "expression", "--copy", "phone", "--json"]):
        assert CliRunner().invoke(cli.app, words).exit_code == 0
    assert [(name, options["copy"], options["as_json"]) for name, options in asked] == [
        ("", "", False),
        ("expression", "phone", True),
    ]


@pytest.mark.parametrize(
    "given", [["tsnet"], ["--faces", "toy"], ["--set", "a=1"], ["--seeds", "2"], ["--out", "x"], ["--from", "x"]]
)
def test_resume_takes_nothing_else(given):
    result = CliRunner().invoke(cli.app, ["run", "--resume", "runs/x", *given])
    assert isinstance(result.exception, FaceletError)
    assert "--resume continues a run" in str(result.exception)


def test_a_stopped_command_says_so(monkeypatch, capsys):
    """By way of Typer, which turns Ctrl-C into an exit code without a word."""

    def stop(*_, **__):
        raise KeyboardInterrupt("continue with: facelet run --resume runs/tsnet")

    monkeypatch.setattr("facelet.recipes.runner.run", stop)
    monkeypatch.setattr("facelet.cli.models.command", stop)
    for words, said in (
        (["run", "tsnet"], "stopped; continue with: facelet run --resume runs/tsnet\n"),
        (["models"], "stopped\n"),
    ):
        monkeypatch.setattr(sys, "argv", ["facelet", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert (ended.value.code, capsys.readouterr().err) == (130, said)


@pytest.mark.parametrize(
    ("error", "verb", "code", "says"),
    [
        (KeyboardInterrupt("continue with: facelet run --resume runs/[a]"), "run", 130, "run --resume runs/[a]\n"),
        (KeyboardInterrupt, "run", 130, "stopped\n"),
        (KeyboardInterrupt, "predict", 130, "stopped\n"),
        (MemoryError, "predict", 2, "not enough memory"),
        (FaceletError, "predict", 2, "error"),
    ],
)
def test_how_it_ends(monkeypatch, capsys, error, verb, code, says):
    def fail(**_):
        raise error

    monkeypatch.setattr(cli, "app", fail)
    monkeypatch.setattr(sys, "argv", ["facelet", verb])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == code
    assert says in capsys.readouterr().err


def test_tables_in_a_pipe_are_not_cut(tmp_path):
    environment = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    done = subprocess.run(
        [sys.executable, "-m", "facelet.cli", "recipes"], capture_output=True, text=True, check=True, env=environment
    )
    assert "light-resnet-exit1, light-resnet-exit2" in done.stdout
    assert "…" not in done.stdout


@pytest.mark.parametrize("module", ["facelet", "facelet.cli"])
def test_it_is_started_as_a_module(module):
    done = subprocess.run([sys.executable, "-m", module, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"facelet {facelet.__version__}\n"
