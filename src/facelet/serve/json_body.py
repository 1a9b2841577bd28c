"""A JSON body that a route reads after it has checked the client's key.

>>> NEW_NAME = JsonBody(NewName)
>>> @router.patch("/{name}", dependencies=[allowed("enroll")], openapi_extra=NEW_NAME.described)
... async def rename(name: str, new: Annotated[NewName, Depends(NEW_NAME)]) -> None: ...

FastAPI parses a body that a route declares before it runs the dependencies, so that a client without a key would cost memory and
time.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from fastapi import Request
from pydantic import TypeAdapter, ValidationError

from facelet.serve.errors import ApiError

Content = TypeVar("Content")


class JsonBody(Generic[Content]):
    """A dependency that reads the body as a type that pydantic knows.

    Attributes:
        described: OpenAPI's description of the body, for ``openapi_extra``.
    """

    def __init__(self, form: type[Content] | Any) -> None:
        self._adapter: TypeAdapter[Content] = TypeAdapter(form)
        content = {"application/json": {"schema": self._adapter.json_schema()}}
        self.described: dict[str, Any] = {"requestBody": {"required": True, "content": content}}

    async def __call__(self, request: Request) -> Content:
        """Raises ApiError 415 for another Content-Type, and 422 for other JSON. pydantic refuses more than 200 nested levels."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise ApiError(415, "unsupported_media_type", f"Content-Type {kind!r}; expected application/json")
        try:
            return self._adapter.validate_json(await request.body())
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the body"
            raise ApiError(422, "invalid", f"{where}: {first['msg']}") from None
