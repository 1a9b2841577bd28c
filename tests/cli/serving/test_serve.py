"""`facelet serve`: its options are those of Settings; keys are made; what is missing is said."""

from __future__ import annotations

import inspect
import sys

import pytest
from typer.testing import CliRunner

from facelet.cli.app import app
from facelet.cli.serving import serve
from facelet.errors import FaceletError
from facelet.serve.auth import KeyRing
from facelet.serve.settings import Settings


def test_the_options_are_those_of_the_settings():
    parameters = inspect.signature(serve.serve).parameters
    assert set(parameters) - {"new_key", "scopes", "allow"} == set(Settings.model_fields)
    for name, field in Settings.model_fields.items():
        default = parameters[name].default
        assert default == field.default or (default is None and field.default == ()), name


def test_options_reach_the_server(monkeypatch):
    seen = []
    monkeypatch.setattr("facelet.serve.server.run", seen.append)
    words = ["serve", "--port", "9", "--origin", "https://a.example", "--faces", "7", "--keys", "k", "--batch-ms", "0"]
    assert CliRunner().invoke(app, words).exit_code == 0
    (settings,) = seen
    assert (settings.port, settings.origins, settings.faces, str(settings.keys)) == (9, ("https://a.example",), 7, "k")
    assert settings.batch_ms == 0


def test_a_key_is_printed_once_and_stored_as_a_hash(tmp_path):
    file = tmp_path / "keys"
    words = ["serve", "--new-key", "phone", "--scope", "read", "--scope", "enroll", "--keys", str(file)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0
    secret = result.stdout.strip()
    assert KeyRing(file).find(secret).scopes == {"read", "enroll"}
    assert secret not in file.read_text()
    assert "shown only now" in result.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--scope", "read"], "--scope is for --new-key NAME"),
        (["--new-key", "a", "--scope", "reed"], "did you mean 'read'"),
        (["--port", "-1"], "--port -1: input should be greater than or equal to 0"),
    ],
)
def test_mistakes(tmp_path, words, says):
    result = CliRunner().invoke(app, ["serve", "--keys", str(tmp_path / "keys"), *words])
    assert isinstance(result.exception, FaceletError)
    assert says in str(result.exception)


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "fastapi", None)
    result = CliRunner().invoke(app, ["serve"])
    assert isinstance(result.exception, FaceletError)
    assert "facelet serve needs fastapi: pip install" in str(result.exception)
    assert "[serve]" in str(result.exception)
