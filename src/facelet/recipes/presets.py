"""The recipes that come with Facelet, as `facelet recipes` shows them; needs no training side."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import yaml
from rich.table import Table

from facelet.errors import FaceletError, unknown

MAX_BYTES = 1_000_000


WIDE = 110
"""Columns of a console that has room for the papers."""


def names() -> list[str]:
    folder = resources.files("facelet.recipes")
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def text_of(name: str) -> str:
    """The YAML of a recipe, by name or by path. Raises FaceletError, with the nearest name, when there is none."""
    if name.endswith((".yaml", ".yml")) or "/" in name:
        path = Path(name)
        try:
            if path.stat().st_size > MAX_BYTES:
                raise FaceletError(f"{path} is larger than a recipe can be ({MAX_BYTES:,} bytes)")
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise FaceletError(f"cannot read recipe {path}: {getattr(error, 'strerror', None) or error}") from None
    if name not in names():
        raise unknown("recipe", name, names())
    return resources.files("facelet.recipes").joinpath(f"{name}.yaml").read_text(encoding="utf-8")


def table(width: int = WIDE) -> Table:
    """One row per recipe: name, title, models it makes, and where ``width`` columns have room for it the paper.

    Names are what a user types, so their columns are never narrower than the longest.
    """
    found = {name: yaml.safe_load(text_of(name)) for name in names()}
    made = {name: [str(step["as"]) for step in recipe["steps"]] for name, recipe in found.items()}
    rows = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    rows.add_column("recipe", min_width=max(map(len, found)), overflow="fold")
    rows.add_column("title", overflow="fold")
    longest = max(len(step) for steps in made.values() for step in steps)
    rows.add_column("makes", min_width=longest + 1, overflow="fold")
    if width >= WIDE:
        rows.add_column("paper", overflow="fold")
    for name, recipe in found.items():
        paper = [str(recipe.get("paper", ""))] * (width >= WIDE)
        rows.add_row(name, recipe["title"], ", ".join(made[name]), *paper)
    return rows
