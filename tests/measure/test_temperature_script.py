"""reproduce/temperature.py: which temperature it takes, and what it writes."""

from __future__ import annotations

import pytest

from facelet.models import model_file


@pytest.fixture(scope="module")
def script(benchmark_script):
    return benchmark_script("temperature")


def test_the_worst_error_decides_and_of_equals_the_nearest_to_one(script):
    assert script.best({0.8: [0.01, 0.06], 1.0: [0.02, 0.05], 1.3: [0.04, 0.04]}) == 1.3
    assert script.best({0.7: [0.05], 0.9: [0.05], 1.2: [0.05]}) == 0.9


def test_it_writes_the_temperature_and_nothing_else(script, expression, shades, monkeypatch, capsys):
    path = expression(scale=1.0)
    before = model_file.read(path)
    words = ["temperature.py", str(path), "--faces", f"folder:{shades}"]
    monkeypatch.setattr("sys.argv", words)
    script.main()
    assert model_file.read(path) == before
    monkeypatch.setattr("sys.argv", [*words, "--into-file"])
    script.main()
    after = model_file.read(path)
    assert after.temperature != before.temperature
    assert after == before.model_copy(update={"temperature": after.temperature})
    assert f"temperature {before.temperature:.3f} -> {after.temperature:.3f}" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["temperature.py", str(path), "--faces", "folder:gone"])
    with pytest.raises(SystemExit, match="error: "):
        script.main()
