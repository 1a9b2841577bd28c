from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from facelet.cli.app import app
from facelet.cli.deploy.export import show
from facelet.deploy import Exported, Verdict


def exported(verdict, elsewhere=""):
    return Exported(
        "litert", "ai-edge-litert 2.3.0", (Path("a.tflite"), Path("a.tflite.json")), 1000, verdict, elsewhere
    )


def test_the_verdict_is_printed(capsys):
    from rich.console import Console

    console = Console(record=True, width=300)
    show(exported(Verdict(8, 1e-6, 1e-3, 1e-7)), console)
    show(exported(Verdict(8, 1.0, 1e-3, 1.0)), console)
    show(exported(None, "the moon"), console)
    text = console.export_text()
    assert "a.tflite: 1.00 kB, ai-edge-litert 2.3.0" in text
    assert "parity gate passed: 8 golden faces" in text
    assert "parity gate FAILED" in text
    assert "not run here: the parity gate needs the moon" in text


def test_the_command_writes_files(tmp_path, monkeypatch):
    def write(model, to, out, *, allow):
        assert (model, to, out, allow) == ("expression", "litert", "x.tflite", False)
        return exported(Verdict(8, 1e-6, 1e-3, 1e-7))

    monkeypatch.setattr("facelet.deploy.export", write)
    done = CliRunner().invoke(app, ["export", "expression", "--to", "litert", "--out", "x.tflite", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["passed"] is True
