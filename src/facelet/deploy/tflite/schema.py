"""The generated classes of the .tflite schema, imported when they are first needed."""

from __future__ import annotations

from functools import lru_cache
from typing import Any


@lru_cache(maxsize=1)
def schema() -> Any:
    """The module that the LiteRT package ships."""
    from ai_edge_litert import schema_py_generated

    return schema_py_generated
