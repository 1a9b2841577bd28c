"""Commands and recipes as they may be passed on in cards and reports: without the folders of the machine they were typed on.

>>> shareable_command("facelet run tsnet --faces folder:/home/ada/clinic/faces.zip?size=48")
'facelet run tsnet --faces folder:faces.zip?size=48'

Only absolute paths are shortened, to their last part; the files of the run keep them, because it is resumed by them.
"""

from __future__ import annotations

import re
import shlex
from typing import Any

import yaml

_PATH = re.compile(
    r"(?P<before>(?:[\w.-]+=)?(?:\w[\w-]+:)?)"  # --out=, key=, folder:
    r"(?:~|[A-Za-z]:)?[\\/](?!/)"
    r"(?:.*[\\/])?(?P<name>[^\\/]*[^\\/\s])[\\/]?",
    re.DOTALL,
)


def shareable_command(command: str) -> str:
    """A shell command with absolute paths shortened; "" for what a shell would not take."""
    try:
        return shlex.join(_shortened(word) for word in shlex.split(command))
    except ValueError:
        return ""


def shareable_recipe(text: str) -> str:
    """A recipe's YAML with absolute paths shortened."""
    return yaml.safe_dump(_walked(yaml.safe_load(text)), sort_keys=False, allow_unicode=True, width=120) if text else ""


def _walked(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _walked(below) for key, below in value.items()}
    if isinstance(value, list):
        return [_walked(below) for below in value]
    return _shortened(value) if isinstance(value, str) else value


def _shortened(text: str) -> str:
    """A word or value, and each option of a source behind its ``?``, with its path shortened if it is an absolute one."""
    parts = re.split(r"([?&])", text)
    found = [_PATH.fullmatch(part) for part in parts]
    return "".join(match["before"] + match["name"] if match else part for match, part in zip(found, parts, strict=True))
