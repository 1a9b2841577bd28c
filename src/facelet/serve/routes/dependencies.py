"""What routes ask for: the service, the client's key, and its scopes.

>>> @router.get("/v1/people", dependencies=[allowed("read")])
... async def people(service: TheService) -> People: ...
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader

from facelet.serve.audit import Actor
from facelet.serve.auth import LOCAL, Key, Scope
from facelet.serve.errors import ApiError
from facelet.serve.schemas import ErrorResponse
from facelet.serve.service import Service

ERRORS: dict[int | str, dict[str, Any]] = {
    401: {"model": ErrorResponse, "description": "no valid API key"},
    403: {
        "model": ErrorResponse,
        "description": "the key lacks the scope, or the request comes from another site's page",
    },
    413: {"model": ErrorResponse, "description": "the body or the image is too large"},
    422: {"model": ErrorResponse, "description": "an image, a name or a parameter is invalid"},
    429: {"model": ErrorResponse, "description": "too many requests are under way; Retry-After says when to try again"},
    503: {"model": ErrorResponse, "description": "the gallery cannot be used"},
    504: {"model": ErrorResponse, "description": "not finished in time"},
}
"""Errors of most routes."""
UPLOAD_ERRORS: dict[int | str, dict[str, Any]] = {
    **ERRORS,
    408: {"model": ErrorResponse, "description": "the body did not arrive in time"},
    415: {"model": ErrorResponse, "description": "a Content-Type that is not accepted"},
}
"""Errors of routes that take images."""


async def the_service(request: Request) -> Service:
    """The application's Service."""
    return request.app.state.service  # type: ignore[no-any-return]


TheService = Annotated[Service, Depends(the_service)]


async def the_key(request: Request) -> Key:
    """The client's API key, from either header. Raises ApiError 401 when it has no valid one, and one is needed."""
    keys = request.app.state.service.keys
    if not keys.required:
        return LOCAL
    kind, _, secret = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer":
        secret = request.headers.get("x-api-key", "")
    key: Key | None = keys.find(secret) if secret else None
    if key is None:
        message = "unknown API key" if secret else "an API key is needed: Authorization: Bearer KEY, or x-api-key: KEY"
        raise ApiError(401, "unauthorized", message, {"WWW-Authenticate": "Bearer"})
    return key


TheKey = Annotated[Key, Depends(the_key)]


class Allowed(APIKeyHeader):
    """A dependency that raises ApiError 403 when the client's key lacks a scope; in OpenAPI it is the key's header.

    One dependency, since each costs FastAPI time in every request.
    """

    def __init__(self, scope: Scope) -> None:
        super().__init__(name="x-api-key", scheme_name="ApiKey", description="an API key; or Authorization: Bearer KEY")
        self.scope = scope

    async def __call__(self, request: Request) -> None:  # type: ignore[override]
        key = await the_key(request)
        if self.scope not in key.scopes:
            raise ApiError(403, "forbidden", f"the key {key.name!r} lacks the scope {self.scope!r}")


def allowed(scope: Scope) -> Any:
    """The dependency that requires a scope, for the list ``dependencies`` of a route or router."""
    return Security(Allowed(scope))


async def the_actor(request: Request, key: TheKey) -> Actor:
    """Who asks, for the audit."""
    return Actor(key.name, request.client.host if request.client else "")


TheActor = Annotated[Actor, Depends(the_actor)]
