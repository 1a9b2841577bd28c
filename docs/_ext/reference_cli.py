"""Every command of `facelet`, from the Typer app."""

from __future__ import annotations

import importlib
import inspect
import re
import typing
from collections.abc import Iterator
from typing import Any

import typer
from reference_markdown import default_text, table, type_text


def typer_app() -> typer.Typer:
    """The Typer app of ``facelet.cli``, or of its module ``app`` where that is a package."""
    app = getattr(importlib.import_module("facelet.cli"), "app", None)
    return app if isinstance(app, typer.Typer) else importlib.import_module("facelet.cli.app").app


def commands(command: Any = None, name: str = "facelet") -> Iterator[tuple[str, Any]]:
    """Names as they are typed, with their commands; groups stand for their commands."""
    command = command or typer.main.get_command(typer_app())
    if hasattr(command, "commands"):
        for verb, inner in sorted(command.commands.items()):
            yield from commands(inner, f"{name} {verb}")
    else:
        yield name, command


def markdown() -> str:
    parts = []
    for name, command in commands():
        types = typing.get_type_hints(inspect.unwrap(command.callback))
        shown = (parameter for parameter in command.params if not getattr(parameter, "hidden", False))
        rows = [_row(parameter, types[parameter.name]) for parameter in shown if parameter.name in types]
        usage = " ".join([name, *_arguments(command), "[OPTIONS]"])
        parts.append(f"## `{name}`\n\n{_text(command.help)}\n\n```text\n{usage}\n```\n")
        if rows:
            parts.append(table(("argument or option", "type", "default", "description"), rows))
    return "\n".join(parts)


def _row(parameter: Any, annotation: Any) -> tuple[str, str, str, str]:
    if parameter.param_type_name == "argument":
        shown = _metavar(parameter)
    else:
        shown = ", ".join([*parameter.opts, *parameter.secondary_opts])
    default = (
        "required" if parameter.required else default_text(None if parameter.default is False else parameter.default)
    )
    kind = type_text(annotation)
    kind = "flag" if annotation is bool else kind.replace("list of text", "text, repeatable")
    return f"`{shown}`", kind, default, _text(getattr(parameter, "help", ""))


def _arguments(command: Any) -> Iterator[str]:
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            shown = _metavar(parameter) + "..." * (parameter.nargs == -1)
            yield shown if parameter.required else f"[{shown}]"


def _metavar(parameter: Any) -> str:
    """The parameter's name in capitals: Typer's versions differ in how they keep its type."""
    return str(parameter.metavar or parameter.name).strip("_").upper()


def _text(text: str | None) -> str:
    """Help as Markdown: options and names of environment variables are code."""
    words = re.sub(r"\s+", " ", text or "").replace("<", "&lt;")
    return re.sub(r"(?<![`\w-])(\$[A-Z_]+|--[a-z][\w-]*)", r"`\1`", words)
