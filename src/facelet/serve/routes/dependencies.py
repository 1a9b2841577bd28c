"""What routes ask for: the service, the client's key, and its scopes.

>>> @router.get("/v1/people", dependencies=[allowed("read")])
... async def people(service: TheService) -> People: ...
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from facelet.serve.audit import Actor
from facelet.serve.auth import LOCAL, Key, Scope
from facelet.serve.errors import ApiError
from facelet.serve.schemas import ErrorResponse
from facelet.serve.service import Service

BEARER = HTTPBearer(auto_error=False, description="an API key")
HEADER = APIKeyHeader(name="x-api-key", auto_error=False, description="an API key")
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


async def the_key(
    service: TheService,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)] = None,
    header: Annotated[str | None, Security(HEADER)] = None,
) -> Key:
    """The client's API key. Raises ApiError 401 when it has none, and none is not enough."""
    secret = bearer.credentials if bearer else header
    if not service.keys.required:
        return LOCAL
    key = service.keys.find(secret) if secret else None
    if key is None:
        message = "unknown API key" if secret else "an API key is needed: Authorization: Bearer KEY, or x-api-key: KEY"
        raise ApiError(401, "unauthorized", message, {"WWW-Authenticate": "Bearer"})
    return key


TheKey = Annotated[Key, Depends(the_key)]


def allowed(scope: Scope) -> Any:
    """A dependency that raises ApiError 403 when the client's key lacks the scope."""

    async def require(key: TheKey) -> None:
        if scope not in key.scopes:
            raise ApiError(403, "forbidden", f"the key {key.name!r} lacks the scope {scope!r}")

    return Depends(require)


async def the_actor(request: Request, key: TheKey) -> Actor:
    """Who asks, for the audit."""
    return Actor(key.name, request.client.host if request.client else "")


TheActor = Annotated[Actor, Depends(the_actor)]
