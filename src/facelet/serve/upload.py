"""Images in a request: multipart files, one raw image, or base64 in JSON.

>>> curl -F file=@photo.jpg URL
>>> curl -H "Content-Type: image/jpeg" --data-binary @photo.jpg URL
>>> curl --json '{"file": "/9j/4AAQ..."}' URL

The body's length is bounded before (see ``connection``). Parts stay in memory; nothing is written to a disk.
"""

from __future__ import annotations

import binascii
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request
from pydantic import TypeAdapter, ValidationError
from starlette.formparsers import MultiPartException, MultiPartParser

from facelet.serve.errors import ApiError

FILE = "file"
MOST_FILES = 1000
MOST_FIELDS = 32
FIELD_BYTES = 1 << 16
"""Bounds of a multipart body, besides its length; a text field that holds an image in base64 needs ``read(..., field_bytes)``."""


@dataclass
class Upload:
    """What a body holds: images by the name of their part or key, and texts."""

    files: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    fields: dict[str, str] = field(default_factory=dict)

    def one(self, name: str = FILE) -> bytes:
        """The only image of a name. Raises ApiError 422 when there is none, or more than one."""
        images = self.files.get(name, [])
        if len(images) != 1:
            raise ApiError(
                422, "missing_file" if not images else "invalid", f"{len(images)} images in {name!r}; expected one"
            )
        return images[0]

    def all(self, name: str = FILE) -> list[bytes]:
        """The images of a name, at least one. Raises ApiError 422 when there is none."""
        if not self.files.get(name):
            raise ApiError(422, "missing_file", f"no image in {name!r}")
        return self.files[name]


class MemoryParser(MultiPartParser):
    """Starlette's parser, without its temporary files."""

    spool_max_size = sys.maxsize


_JSON = TypeAdapter(dict[str, Any])


async def read_upload(request: Request) -> Upload:
    """Reads the images of a request, by its Content-Type. Raises ApiError 415 and 422."""
    return await read(request)


async def read(request: Request, field_bytes: int = FIELD_BYTES) -> Upload:
    """Same as ``read_upload``; ``field_bytes`` bounds the text fields of a multipart body."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return await _multipart(request, field_bytes)
    if kind == "application/json":
        return from_json(await request.body())
    if kind.startswith("image/") or kind == "application/octet-stream":
        return Upload({FILE: [await request.body()]})
    raise ApiError(
        415,
        "unsupported_media_type",
        f"Content-Type {kind!r}; expected multipart/form-data, application/json or image/*",
    )


async def _multipart(request: Request, field_bytes: int) -> Upload:
    parser = MemoryParser(
        request.headers, request.stream(), max_files=MOST_FILES, max_fields=MOST_FIELDS, max_part_size=field_bytes
    )
    upload = Upload()
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise ApiError(422, "invalid_body", error.message) from None
    except UnicodeError:  # of a charset such as "undefined" or "punycode"
        raise ApiError(422, "invalid_body", "the form is not in its charset; send UTF-8") from None
    for name, value in form.multi_items():
        if isinstance(value, str):
            upload.fields[name] = value
        else:
            upload.files[name].append(await value.read())
            await value.close()
    return upload


def from_json(body: bytes) -> Upload:
    """Reads a JSON object whose texts are images in base64, alone or in lists; ``name`` is a text.

    pydantic's parser refuses more than 200 nested levels. Raises ApiError 422.
    """
    upload = Upload()
    try:
        document = _JSON.validate_json(body)
    except ValidationError as error:
        raise ApiError(422, "invalid_body", f"the body is no JSON object: {error.errors()[0]['msg']}") from None
    for key, value in document.items():
        if key == "name" and isinstance(value, str):
            upload.fields[key] = value
        elif value is not None:
            texts = value if isinstance(value, list) else [value]
            upload.files[key] = [from_base64(text, key) for text in texts]
    return upload


def from_base64(text: object, name: str = FILE) -> bytes:
    """Decodes base64, with or without the prefix of a data URI. Raises ApiError 422 for anything else, such as a URL."""
    if isinstance(text, str):
        if text.startswith("data:"):
            text = text.partition(",")[2]
        try:
            return binascii.a2b_base64("".join(text.split()), strict_mode=True)
        except (binascii.Error, ValueError):
            pass
    raise ApiError(422, "invalid_base64", f"{name!r} is no image in base64; URLs and paths are not accepted")


def described(*images: str, several: bool = False, fields: dict[str, str] | None = None) -> dict[str, Any]:
    """OpenAPI's description of a body with these images and text fields, for ``openapi_extra``."""

    def image(**format_: str) -> dict[str, Any]:
        one = {"type": "string", **format_}
        return {"type": "array", "items": one, "minItems": 1} if several else one

    texts = {name: {"type": "string", "description": text} for name, text in (fields or {}).items()}
    required = [*images, *texts]
    content: dict[str, Any] = {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {**{name: image(format="binary") for name in images}, **texts},
                "required": required,
            }
        },
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {**{name: image(format="byte") for name in images}, **texts},
                "required": required,
            }
        },
    }
    if images == (FILE,) and not texts:
        content["image/*"] = {"schema": {"type": "string", "format": "binary"}}
    return {"requestBody": {"required": True, "content": content}}
