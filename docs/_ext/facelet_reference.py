"""Sphinx extension: reference pages that are generated from the code when the site is built.

A page asks for a part with a pair of comments, ``<!-- reference: steps -->`` and ``<!-- end -->``. The text between them is for
readers on a code host, and is replaced on the site. Parts are ``steps``, ``recipe``, ``cli``, ``api``, ``columns`` and
``source NAME``. The JSON Schema of recipes is written next to the pages, as ``recipe.schema.json``.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import reference_api
import reference_cli
import reference_columns
import reference_schema
import reference_sources
import reference_steps
from sphinx.application import Sphinx

MARKER = re.compile(r"^<!-- reference: (\w+) ?([\w-]*) -->\n.*?^<!-- end -->$", re.MULTILINE | re.DOTALL)
PARTS = {
    "api": reference_api.markdown,
    "cli": reference_cli.markdown,
    "columns": reference_columns.markdown,
    "recipe": reference_steps.recipe_markdown,
    "source": reference_sources.markdown,
    "steps": reference_steps.markdown,
}


def filled(text: str) -> str:
    """``text`` with the part that each marker asks for in its place."""
    return MARKER.sub(lambda found: PARTS[found[1]](*filter(None, [found[2]])), text)


def _on_source_read(app: Sphinx, name: str, source: list[str]) -> None:
    source[0] = filled(source[0])


def _write_schema(app: Sphinx, error: Exception | None) -> None:
    if error is None and app.builder.format == "html":
        file = Path(app.outdir) / "recipe.schema.json"
        file.write_text(
            json.dumps(reference_schema.recipe_schema(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", _on_source_read)
    app.connect("autodoc-process-signature", reference_api.short_signature)
    app.connect("build-finished", _write_schema)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
