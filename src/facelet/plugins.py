"""Plugins: face sources, nets, losses and steps from outside the package, which register themselves when they are imported.

Two ways in, both the user's own choice: a Python file that is named on the command line, and installed packages with an
entry point in the group ``facelet.plugins``. A recipe or a model file never brings code.

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
"""What plugins have put into the registries, "net tiny", in the order in which it came."""

problems: list[str] = []
"""Installed plugins that could not be imported, and why."""

_loaded: dict[str, tuple[str, ...]] = {}
_asked = False


def note(kind: str, name: str, thing: object) -> None:
    """Called by a registry for each new ``thing``; the package's own are not noted."""
    if getattr(thing, "__module__", "").partition(".")[0] != __package__:
        registered.append(f"{kind} {name}")


def load_file(path: str | Path) -> tuple[str, ...]:
    """Imports a plugin file, once; returns what it registered.

    Its folder is put at the end of ``sys.path``, so it may import files beside it, and the processes of a training on
    several devices find it by its name. Raises FaceletError when it is missing, fails, or registers nothing.
    """
    file = existing(path, "plugin file")
    place = os.path.realpath(file)
    if place in _loaded:
        return _loaded[place]
    name = file.stem
    if file.suffix != ".py" or not file.is_file():
        raise FaceletError(f"{path} is no plugin; expected a Python file that registers sources, nets, losses or steps")
    there = _origin(name) if name.isidentifier() else "?"
    if there and there != place:
        raise FaceletError(
            f"{path}: a module cannot be called {name!r}, or there is another of that name; rename the file"
        )
    if name in sys.modules:  # another plugin imports it
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
    """``load_file`` of each, saying on standard error what it brought."""
    for path in paths:
        names = ", ".join(load_file(path)) or "imported by another plugin already"
        print(f"plugin {path}: {names}", file=sys.stderr)


def load_installed() -> None:
    """Imports the plugins of installed packages, once, when a name is looked for that is not known yet.

    One that fails is put into ``problems``, for the error about the name.
    """
    global _asked
    if _asked:
        return
    _asked = True  # first: a plugin may look for names itself
    import importlib.metadata  # takes a moment, which most commands can do without

    for point in importlib.metadata.entry_points(group=GROUP):
        try:
            point.load()
        except (Exception, SystemExit) as error:
            problems.append(f"the plugin {point.name!r} ({point.value}) cannot be loaded, {_where(error, '')}")


def _origin(name: str) -> str:
    """The file that ``import name`` finds or has found, "?" where it is none, "" where there is no such module."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return "?"
    if spec is None:
        return ""
    return os.path.realpath(spec.origin) if spec.has_location and spec.origin else "?"


def _where(error: BaseException, place: str) -> str:
    """The error in one line, after the line of the file at ``place`` that it came from."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == place]
    number = (
        error.lineno if isinstance(error, SyntaxError) and error.filename == place else lines[-1] if lines else None
    )
    what = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{f'line {number}: ' if number else ''}{type(error).__name__}: {what}"
