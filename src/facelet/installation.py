"""How Facelet was installed, and so what to type to get the rest of it.

>>> install_command("train")
"pip install '/home/ada/facelet[train]'"

An extra of a package that came from a folder, a file or a repository is asked for there: the index may not have it.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from facelet.errors import FaceletError

NAME = "facelet"
TRAINING = "train"
"""The extra that brings what trains and measures."""


def install_command(extra: str = TRAINING) -> str:
    """What to type to get an extra: from the checkout, the file or the address that Facelet came from, or else the index."""
    direct = _direct_url()
    if direct is None:
        checkout = Path(__file__).resolve().parents[2]
        return _from_folder(checkout, extra) if (checkout / "pyproject.toml").exists() else _pip(f"{NAME}[{extra}]")
    url = str(direct.get("url", ""))
    if "dir_info" in direct:
        return _from_folder(_path(url), extra)
    version_control = direct.get("vcs_info")
    prefix = f"{version_control.get('vcs', 'git')}+" if isinstance(version_control, dict) else ""
    return _pip(f"{NAME}[{extra}] @ {prefix}{url}") if url else _pip(f"{NAME}[{extra}]")


def needs_training(name: str, missing: str) -> Callable[..., Any]:
    """Stands for the function ``name`` where the training side is not installed, so that it can be looked at."""

    def stand_in(*args: Any, **options: Any) -> Any:
        raise FaceletError(f"facelet.{name} needs {missing}: {install_command()}")

    stand_in.__name__ = stand_in.__qualname__ = name
    stand_in.__module__ = NAME
    stand_in.__doc__ = f"Not in this installation: it needs the extra `{TRAINING}`, {install_command()}"
    return stand_in


def _direct_url() -> dict[str, Any] | None:
    """What pip noted of where the package came from (PEP 610); None where it came from an index or was not installed."""
    try:
        text = metadata.distribution(NAME).read_text("direct_url.json")
        value = json.loads(text) if text else None
    except (metadata.PackageNotFoundError, OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def _path(url: str) -> Path:
    return Path(url2pathname(unquote(urlsplit(url).path)))


def _from_folder(folder: Path, extra: str) -> str:
    if (folder / "pyproject.toml").exists():
        return _pip(f"{folder}[{extra}]")
    return f"{_pip(f'.[{extra}]')} in a checkout of Facelet"


def _pip(what: str) -> str:
    return f"pip install {shlex.quote(what)}"
