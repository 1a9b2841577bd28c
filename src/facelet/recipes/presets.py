"""The recipes that come with Facelet, and the table of `facelet recipes`; works without the training packages."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import yaml
from rich.table import Table

from facelet.errors import FaceletError, unknown

MAX_BYTES = 1_000_000


WIDE = 110
"""Console width from which the table shows the papers."""


def names() -> list[str]:
    """Returns the names of the recipes that come with Facelet."""
    folder = resources.files("facelet.recipes")
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def text_of(name: str) -> str:
    """Returns the YAML of a recipe, by name or path. Raises FaceletError with the nearest name when there is none."""
    if name.endswith((".yaml", ".yml")) or "/" in name:
        path = Path(name)
        try:
            if path.stat().st_size > MAX_BYTES:
                raise FaceletError(f"{path} exceeds the maximum size of a recipe ({MAX_BYTES:,} bytes)")
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise FaceletError(f"cannot read recipe {path}: {getattr(error, 'strerror', None) or error}") from None
    if name not in names():
        raise unknown("recipe", name, names())
    return resources.files("facelet.recipes").joinpath(f"{name}.yaml").read_text(encoding="utf-8")


def table(width: int = WIDE) -> Table:
    """Returns a table with a row per recipe: name, title, resulting models and, with at least WIDE columns, paper.

    Columns of names are never narrower than the longest name, because users copy them.
    """
    recipes = {name: yaml.safe_load(text_of(name)) for name in names()}
    models = {name: [str(step["as"]) for step in recipe["steps"]] for name, recipe in recipes.items()}
    rows = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    rows.add_column("recipe", min_width=max(map(len, recipes)), overflow="fold")
    rows.add_column("title", overflow="fold")
    longest = max(len(step) for steps in models.values() for step in steps)
    rows.add_column("makes", min_width=longest + 1, overflow="fold")
    if width >= WIDE:
        rows.add_column("paper", overflow="fold")
    for name, recipe in recipes.items():
        paper = [str(recipe.get("paper", ""))] * (width >= WIDE)
        rows.add_row(name, recipe["title"], ", ".join(models[name]), *paper)
    return rows
