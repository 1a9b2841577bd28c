"""Plugins: modules outside the package that register face sources, nets, losses and steps when they are imported.

A plugin is a Python file given on the command line, or an installed package with an entry point in the group ``facelet.plugins``.
Recipes and model files never load code.

>>> load_file("my_plugin.py")
('net tiny', 'face source noise')
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path

from facelet.errors import FaceletError
from facelet.io.files import existing

GROUP = "facelet.plugins"

registered: list[str] = []
"""Kind and name of each object that plugins registered ("net tiny"), in order of registration."""

problems: list[str] = []
"""An error message for each installed plugin that could not be imported."""

_loaded: dict[str, tuple[str, ...]] = {}
_installed_loaded = False


def note(kind: str, name: str, entry: object) -> None:
    """Records a newly registered object in ``registered``, unless it belongs to this package; called by the registries."""
    if getattr(entry, "__module__", "").partition(".")[0] != __package__:
        registered.append(f"{kind} {name}")


def load_file(path: str | Path) -> tuple[str, ...]:
    """Imports a plugin file, once, and returns the kinds and names that it registered.

    Its folder is appended to ``sys.path``, so that it can import files beside it, and the worker processes of a multi-device
    training can import it by name. Raises FaceletError when it is missing, cannot be imported, or registers nothing.
    """
    file = existing(path, "plugin file")
    place = os.path.realpath(file)
    if place in _loaded:
        return _loaded[place]
    name = file.stem
    if file.suffix != ".py" or not file.is_file():
        raise FaceletError(
            f"{path} is not a plugin; expected a Python file that registers sources, nets, losses or steps"
        )
    origin = _origin(name) if name.isidentifier() else "?"
    if origin and origin != place:
        raise FaceletError(f"{path}: {name!r} is not a valid module name, or another module has it; rename the file")
    if name in sys.modules:  # imported by another plugin
        return _loaded.setdefault(place, ())
    before = len(registered)
    sys.path.append(os.path.dirname(place))
    importlib.invalidate_caches()
    try:
        importlib.import_module(name)
    except (Exception, SystemExit) as error:
        raise FaceletError(f"plugin {path} cannot be loaded, {_where(error, place)}") from error
    if len(registered) == before:
        del sys.modules[name]
        raise FaceletError(f"plugin {path} registers nothing; expected a decorator such as @SOURCES.register('name')")
    _loaded[place] = tuple(registered[before:])
    return _loaded[place]


def load_files(paths: Iterable[str | Path]) -> None:
    """Imports each file as ``load_file`` does and prints to standard error what it registered."""
    for path in paths:
        names = ", ".join(load_file(path)) or "already imported by another plugin"
        print(f"plugin {path}: {names}", file=sys.stderr)


def load_installed() -> None:
    """Imports the plugins of installed packages, once, at the first lookup of an unknown name.

    Failures are added to ``problems``, for the error about the name.
    """
    global _installed_loaded
    if _installed_loaded:
        return
    _installed_loaded = True  # set first, because a plugin may look up names itself
    import importlib.metadata  # slow to import, and most commands do not need it

    for point in importlib.metadata.entry_points(group=GROUP):
        try:
            point.load()
        except (Exception, SystemExit) as error:
            problems.append(f"the plugin {point.name!r} ({point.value}) cannot be loaded, {_where(error, '')}")


def _origin(name: str) -> str:
    """The file of module ``name``, "?" for a module without a file, "" if there is no such module."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return "?"
    if spec is None:
        return ""
    return os.path.realpath(spec.origin) if spec.has_location and spec.origin else "?"


def _where(error: BaseException, place: str) -> str:
    """The error in one line, preceded by its line number in the file at ``place``."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == place]
    number = (
        error.lineno if isinstance(error, SyntaxError) and error.filename == place else lines[-1] if lines else None
    )
    what = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{f'line {number}: ' if number else ''}{type(error).__name__}: {what}"
