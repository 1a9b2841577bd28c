"""What the generated pages share: types and defaults as a reader of YAML writes them, docstrings as Markdown, tables."""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

PLAIN = {int: "integer", float: "number", str: "text", bool: "true or false", Path: "path", Any: "any"}


def type_text(annotation: Any) -> str:
    """``float | None`` as "number"; literals are listed; None is left out, since a default says it."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if annotation in PLAIN:
        return PLAIN[annotation]
    if origin is Annotated:
        return type_text(parts[0])
    if origin is Literal:
        return ", ".join(f"`{part}`" for part in parts)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(type_text(part) for part in parts if part is not type(None)))
    if origin in (list, tuple):
        return f"list of {type_text(parts[0])}"
    if origin is dict:
        return "mapping"
    return "mapping" if inspect.isclass(annotation) else str(annotation)


def default_text(value: Any) -> str:
    """As YAML has it; "" for None, for what is empty, and for a mapping that has keys of its own."""
    if value is None or isinstance(value, BaseModel) or value in ("", (), [], {}):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, float):
        return f"`{value:g}`"
    if isinstance(value, dict):
        return f"`{{{', '.join(f'{name}: {number:g}' for name, number in value.items())}}}`"
    return f"`{value}`"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; columns that are empty in all rows are left out."""
    rows = [[re.sub(r"\s+", " ", cell).replace("|", "\\|") for cell in row] for row in rows]
    kept = [column for column in range(len(head)) if any(row[column] for row in rows)]
    lines = [
        [head[column] for column in kept],
        ["---"] * len(kept),
        *([row[column] for column in kept] for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def prose(docstring: str | None) -> str:
    """A docstring as Markdown: examples as code blocks, addresses as links, without the section ``Args:``."""
    blocks = re.sub(r"\n\n(Args|Attributes):\n(    .*\n?|\n)*", "\n\n", inspect.cleandoc(docstring or "") + "\n").split(
        "\n\n"
    )
    return "\n\n".join(_block(block.strip("\n")) for block in blocks if block.strip())


def _block(text: str) -> str:
    if text.startswith(">>>"):
        return f"```pycon\n{text}\n```"
    text = re.sub(r"(?<![<(])(https?://[^\s),;]+[^\s),;.])", r"<\1>", text.replace("``", "`"))
    return re.sub(r"(?<=\w)\n(>>> )", r"\n\n\1", text)


def arguments(docstring: str | None) -> dict[str, str]:
    """Descriptions by name of the section ``Args:``; "size, channels: ..." describes both."""
    section = re.search(
        r"^(?:Args|Attributes):\n((?:    .*\n?|\n)*)", inspect.cleandoc(docstring or "") + "\n", re.MULTILINE
    )
    found: dict[str, str] = {}
    for names, text in re.findall(
        r"^    ([\w, *]+): ((?:.*\n?)(?:        .*\n?)*)", section[1] if section else "", re.MULTILINE
    ):
        found |= {
            name.strip(" *"): re.sub(r"\s+", " ", text).strip().removesuffix(".").replace("``", "`")
            for name in names.split(",")
        }
    return found
