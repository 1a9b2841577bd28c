"""The recipes that come with Facelet, and the table of `facelet recipes`; works without the training packages."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from facelet.errors import FaceletError, unknown

MAX_BYTES = 1_000_000


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
