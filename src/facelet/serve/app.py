"""The FastAPI application.

>>> app = create_app(Settings())   # `facelet serve` runs it; any ASGI server can
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from facelet import __version__
from facelet.errors import FaceletError
from facelet.serve import errors
from facelet.serve.connection import BoundedConnections
from facelet.serve.headers import CheckedHeaders
from facelet.serve.routes import compreface, compreface_gallery, deepface, faces, people, system
from facelet.serve.service import Service
from facelet.serve.settings import Settings
from facelet.serve.web import site

ROUTERS = (system.router, faces.router, people.router, deepface.router, compreface.router, compreface_gallery.router)
DESCRIPTION = (
    "Expressions and identities of the faces in photos. Images are multipart files, raw bodies or base64 in JSON. "
    'Errors have the body `{"error": {"code": ..., "message": ...}}`.'
)


def create_app(settings: Settings) -> FastAPI:
    """Opens models, detector, gallery and keys, and returns the application. Raises FaceletError as ``Service`` does."""
    service = Service(settings)

    @asynccontextmanager
    async def running(app: FastAPI) -> AsyncIterator[None]:
        service.start()
        yield
        service.stop()

    app = FastAPI(
        title="Facelet",
        version=__version__,
        description=DESCRIPTION,
        lifespan=running,
        docs_url=None,  # the page would load its scripts from another server
        redoc_url=None,
        redirect_slashes=False,  # DELETE /api/v1/recognition/faces/ would become one without the slash, which deletes everybody
    )
    app.state.service = service
    errors.install(app)
    for router in ROUTERS:
        app.include_router(router)
    if folder := page_folder():
        app.mount("/", Page(directory=folder, html=True), name="page")
    app.add_middleware(BoundedConnections, settings=settings, full=lambda: service.full)
    if settings.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "x-api-key", "Content-Type"],
        )
    app.add_middleware(CheckedHeaders, settings=settings, metrics=service.metrics, keyless=not service.keys.required)
    return app


class Page(StaticFiles):
    """The static page; marks its responses, which have another content policy than the API's."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["page"] = True
        await super().__call__(scope, receive, send)


def page_folder() -> Path | None:
    """Folder of the built page, or None when a part of it is not on this machine; `facelet web` fetches it."""
    try:
        return site.folder()
    except FaceletError as error:
        errors.log.warning("no page: %s", error)
        return None
