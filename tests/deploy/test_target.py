from __future__ import annotations

from pathlib import Path

import pytest

from facelet.deploy import TARGETS
from facelet.deploy.target import reason

EXTRAS = Path(__file__).parents[2] / "pyproject.toml"


def test_every_target_has_an_extra_of_its_name():
    import tomllib

    extras = tomllib.loads(EXTRAS.read_text())["project"]["optional-dependencies"]
    for name in TARGETS:
        packages = " ".join(extras[name])
        assert all(package in packages for package in TARGETS[name].modules.values() if package != "torch")


@pytest.mark.parametrize("name", list(TARGETS))
def test_a_target_describes_itself(name):
    target = TARGETS[name]()
    assert target.name == name
    assert target.suffix.startswith(".")
    assert target.version().startswith(next(iter(target.modules.values())))
    assert target.files(Path("a" + target.suffix))[0] == Path("a" + target.suffix)


def test_the_reason_of_an_error_is_one_line():
    assert reason(RuntimeError("\n  first\nsecond")) == "first"
    assert reason(RuntimeError()) == "RuntimeError"
