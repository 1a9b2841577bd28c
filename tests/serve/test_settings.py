"""Options of the service: bounds, messages, and what counts as this machine."""

from __future__ import annotations

import pytest

from facelet.errors import FaceletError
from facelet.serve.settings import Settings, is_loopback, processors


def test_defaults_are_local_and_described():
    settings = Settings()
    assert settings.local
    assert settings.workers == processors() >= 1
    assert all(field.description for field in Settings.model_fields.values())


def test_options_that_are_not_given_keep_their_default():
    assert Settings.checked(port=9, faces=None, threads=3).workers == 3
    assert Settings.checked(faces=None) == Settings()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"port": 70000}, "--port 70000: input should be less than or equal to 65535"),
        ({"body_bytes": 0}, "--body-bytes 0: "),
        ({"seconds": -1.0}, "--seconds -1.0: "),
        ({"queue": 0}, "--queue 0: "),
        ({"threshold": 2.0}, "--threshold 2.0: "),
        ({"origins": ["https://app.example/"]}, "--origins https://app.example/: "),
    ],
)
def test_wrong_values_are_named(options, says):
    with pytest.raises(FaceletError, match=says):
        Settings.checked(**options)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost", "LOCALHOST."])
def test_this_machine(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "localhost.evil.example", "evil", "", "127.0.0.1.evil"])
def test_other_machines(host):
    assert not is_loopback(host)
