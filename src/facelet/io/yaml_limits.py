"""Refuses YAML that unfolds to any size or takes any time: aliases, and brackets nested without end.

>>> beyond_limits("{a: &x [1], b: *x}")
'uses YAML aliases (*name)'
>>> beyond_limits("a: [1]")
''
"""

from __future__ import annotations

import yaml

DEEPEST = 50
"""Deepest nesting of mappings and lists. PyYAML's time grows with the square of the depth."""


def beyond_limits(text: str) -> str:
    """Returns why ``text`` is refused, or "". Reads only as far as it needs. Raises yaml.YAMLError for text that is not YAML."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            return "uses YAML aliases (*name)"
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST:
                return f"is nested more than {DEEPEST} levels deep"
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return ""
