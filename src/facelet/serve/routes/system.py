"""Health, readiness and metrics."""

from __future__ import annotations

from fastapi import APIRouter, Response

from facelet.serve.errors import ApiError
from facelet.serve.metrics import Metrics
from facelet.serve.routes.dependencies import ERRORS, TheService, allowed
from facelet.serve.schemas import ErrorResponse, Health

router = APIRouter(tags=["system"])


@router.get("/healthz")
async def health() -> Health:
    """Whether the process answers. Needs no key."""
    return Health(status="ok")


@router.get("/readyz", responses={503: {"model": ErrorResponse, "description": "starting or stopping"}})
async def ready(service: TheService) -> Health:
    """Whether requests are worked on. Needs no key."""
    if not service.engine.running:
        raise ApiError(503, "not_ready", "the service is starting or stopping")
    return Health(status="ready")


@router.get("/metrics", dependencies=[allowed("read")], responses=ERRORS, response_class=Response)
async def metrics(service: TheService) -> Response:
    """Prometheus metrics."""
    return Response(service.metrics.text(), media_type=Metrics.content_type)
