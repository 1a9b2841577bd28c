"""The public names of `facelet`, as directives of autodoc."""

from __future__ import annotations

import inspect
import re
from typing import Any

import facelet

NAMES = [name for name in facelet.__all__ if not name.startswith("_")]


def markdown() -> str:
    return "\n".join(f"## `facelet.{name}`\n\n```{{eval-rst}}\n{_directive(name)}\n```\n" for name in NAMES)


def short_signature(
    app: Any, what: str, name: str, value: Any, options: Any, signature: str | None, returned: str | None
) -> tuple[str | None, str | None]:
    """Of ``autodoc-process-signature``: arrays as they are written in the code, ``NDArray[uint8]``."""
    array = r"~?(?:numpy\.)?ndarray\[tuple\[~?(?:typing\.)?Any, \.\.\.\], ~?(?:numpy\.)?dtype\[~?(?:numpy\.)?(\w+)\]\]"
    short = [re.sub(array, r"NDArray[\1]", text) if text else text for text in (signature, returned)]
    return short[0], short[1]


def _directive(name: str) -> str:
    value = getattr(facelet, name)
    if not inspect.isclass(value):
        return f".. autofunction:: facelet.{name}"
    kind = "autoexception" if issubclass(value, Exception) else "autoclass"
    return f".. {kind}:: facelet.{name}\n   :members:"
