"""Recorded exchanges with another project's API, replayed against the service: same keys, same types, same status."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "serve" / "routes" / "contracts"


def recorded(name: str) -> list[dict[str, Any]]:
    """The exchanges of a file."""
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))["exchanges"]


def shape(value: object) -> object:
    """Keys and types of a JSON value; a list has the shape of its elements, which must be the same."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        shapes = [shape(item) for item in value]
        assert all(item == shapes[0] for item in shapes)
        return shapes[:1]
    if isinstance(value, bool) or value is None:
        return type(value).__name__
    return "number" if isinstance(value, int | float) else type(value).__name__


def replay(client, exchange: dict[str, Any], images: dict[str, bytes], texts: dict[str, str] | None = None):
    """Sends the request, with ``images`` in the place of their names, and asserts status and shape of the response."""
    request = exchange["request"]
    path = request["path"]
    for name, text in (texts or {}).items():
        path = path.replace(name, text)
    options = {}
    if "json" in request:
        uris = {name: "data:image/png;base64," + base64.b64encode(data).decode() for name, data in images.items()}
        options["json"] = {key: uris.get(str(value), value) for key, value in request["json"].items()}
    if "files" in request:
        options["files"] = {key: ("photo.png", images[name], "image/png") for key, name in request["files"].items()}
    answer = client.request(request["method"], path, **options)
    assert answer.status_code == exchange.get("status", 200), answer.text
    assert shape(answer.json()) == shape(exchange["response"]), answer.text
    return answer.json()
