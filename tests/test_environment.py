from __future__ import annotations

from importlib import metadata

from facelet import environment


def test_a_line_for_each_thing(monkeypatch):
    def version(package):
        if package == "timm":
            raise metadata.PackageNotFoundError
        return "1.2.3"

    monkeypatch.setattr(environment.metadata, "version", version)
    monkeypatch.setattr(environment, "_checks", lambda: ["model expression: ok"])
    monkeypatch.setenv("FACELET_DATA", "/faces")
    monkeypatch.delenv("FACELET_YUNET", raising=False)
    lines = environment.describe().splitlines()
    assert all(": " in line for line in lines)
    assert {"numpy: 1.2.3", "timm: not installed", "FACELET_DATA: /faces", "model expression: ok"} <= set(lines)
    assert not any(line.startswith("FACELET_YUNET") for line in lines)


def test_it_is_printed_where_nothing_works(monkeypatch):
    def broken():
        raise RuntimeError("no runtime")

    monkeypatch.setattr("facelet.runtime.check.machine", broken)
    assert environment.describe().splitlines()[-1] == "models: cannot be checked: no runtime"
