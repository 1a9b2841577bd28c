"""`facelet env`: versions and machine, also where nothing works."""

from __future__ import annotations

from typer.testing import CliRunner

from facelet.cli.app import app


def lines() -> dict[str, str]:
    result = CliRunner().invoke(app, ["env"])
    assert result.exit_code == 0
    return dict(line.split(": ", 1) for line in result.stdout.splitlines())


def test_versions_machine_and_variables(monkeypatch, shelf):
    monkeypatch.setenv("FACELET_MODEL", "mine.onnx")
    monkeypatch.setattr("facelet.cli.env.PACKAGES", ("numpy", "no-such-package"))
    found = lines()
    assert found["python"].startswith("3.")
    assert found["no-such-package"] == "not installed"
    assert found["FACELET_MODEL"] == "mine.onnx"
    assert "ONNX Runtime" in found["int8"]
    assert int(found["cores"]) >= 1


def test_the_password_of_a_gallery_is_not_printed(monkeypatch, shelf):
    monkeypatch.setenv("FACELET_GALLERY", "postgresql://anna:s3cret@db/faces")
    monkeypatch.setenv("FACELET_GALLERY_KEY", "k3y")
    found = lines()
    assert found["FACELET_GALLERY"] == "postgresql://anna:***@db/faces"
    assert not {"s3cret", "k3y"} & set(" ".join(found.values()).replace(":", " ").replace("@", " ").split())


def test_each_bundled_model_is_checked(ship, make_model, tmp_path):
    ship(make_model(tmp_path / "tiny.onnx"), "expression")
    assert lines()["model expression"].startswith("ok (deviation ")


def test_a_failing_check_is_reported(monkeypatch):
    def fail():
        raise RuntimeError("no runtime here")

    monkeypatch.setattr("facelet.runtime.check.check_bundled", fail)
    assert lines()["models"] == "cannot be checked: no runtime here"
