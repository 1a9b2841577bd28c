"""The commands that install Facelet's extras, depending on how Facelet was installed.

>>> install_command("train")
"pip install '/home/ada/facelet[train]'"

If Facelet was installed from a folder, a file or a repository, its extras are installed from there too: the index may not have
them.
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
"""The extra for training and measuring."""


def install_command(extra: str = TRAINING) -> str:
    """The command that installs an extra from the checkout, file or URL that Facelet came from, or else from the index."""
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
    """A placeholder for the function ``name`` when the extra for training is missing; raises FaceletError when called."""

    def stand_in(*args: Any, **options: Any) -> Any:
        raise FaceletError(f"facelet.{name} needs {missing}: {install_command()}")

    stand_in.__name__ = stand_in.__qualname__ = name
    stand_in.__module__ = NAME
    stand_in.__doc__ = f"Not installed: it needs the extra `{TRAINING}`, {install_command()}"
    return stand_in


def _direct_url() -> dict[str, Any] | None:
    """Origin of the package as recorded by pip (PEP 610); None for an index, or when Facelet is not installed."""
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


def _pip(requirement: str) -> str:
    return f"pip install {shlex.quote(requirement)}"
