"""DeepFace's API: analyze, verify, represent. docs/compatible.md lists what is supported and what is ignored."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from facelet.serve.engine import AnalyzedPhoto
from facelet.serve.errors import ApiError, route_class
from facelet.serve.routes import deepface_schemas as schemas
from facelet.serve.routes.deepface_request import SKIP, Call, described, read_call
from facelet.serve.routes.deepface_schemas import (
    Analyses,
    Area,
    EmotionalFace,
    Representation,
    Representations,
    Verified,
)
from facelet.serve.routes.dependencies import TheService, allowed
from facelet.serve.service import Service

CLIENTS_FAULTS = (415, 422)
"""Statuses of the native API that are 400 in DeepFace's."""


def as_deepface(error: ApiError) -> JSONResponse:
    """An error in DeepFace's shape."""
    status = 400 if error.status_code in CLIENTS_FAULTS else error.status_code
    return JSONResponse({"error": error.detail}, status, dict(error.headers or {}))


ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": schemas.ErrorResponse, "description": text}
    for status, text in {
        400: "an image that is missing, unreadable, a path or URL, or without a face; an invalid option",
        401: "no valid API key",
        403: "the key lacks the scope read, or the request comes from another site's page",
        408: "the body did not arrive in time",
        413: "the body or the image is too large",
        429: "too many requests are under way; Retry-After says when to try again",
        504: "not finished in time",
    }.items()
}
router = APIRouter(
    tags=["DeepFace"],
    dependencies=[allowed("read")],
    responses=ERRORS,
    route_class=route_class(as_deepface, "/analyze", "/verify", "/represent"),
)
TheCall = Annotated[Call, Depends(read_call)]


@router.post("/analyze", openapi_extra=described("img"), response_model_exclude_unset=True)
async def analyze(service: TheService, call: TheCall) -> Analyses:
    """Emotions of the faces in a photo."""
    photo = await _faces(service, call, "img", expression=True)
    faces = [EmotionalFace.of(face, photo.size) for face in photo.faces]
    return Analyses(results=faces, **_notes(call))


@router.post("/represent", openapi_extra=described("img"), response_model_exclude_unset=True)
async def represent(service: TheService, call: TheCall) -> Representations:
    """Identity vectors of the faces in a photo: biometric data."""
    photo = await _faces(service, call, "img", identity=True)
    faces = [Representation.of(face, photo.size) for face in photo.faces]
    return Representations(results=faces, **_notes(call))


@router.post("/verify", openapi_extra=described("img1", "img2"), response_model_exclude_unset=True)
async def verify(service: TheService, call: TheCall) -> Verified:
    """Whether two photos show the same person; of several faces, the two most similar ones are compared."""
    start, metric = time.perf_counter(), call.options.distance_metric
    images = {name: call.image(name) for name in ("img1", "img2")}  # both, before one is analyzed
    async with service.admitted():
        photos = {name: await _faces(service, call, name, identity=True) for name in images}
    *faces, cosine = schemas.closest(*(photo.faces for photo in photos.values()))
    given = call.options.threshold
    threshold = schemas.distance(service.threshold, metric) if given is None else given
    distance = schemas.distance(cosine, metric)
    return Verified(
        verified=distance <= threshold,
        distance=distance,
        threshold=threshold,
        model=service.identity.path.stem,
        detector_backend=SKIP if call.options.detector_backend == SKIP else "yunet",
        similarity_metric=metric,
        facial_areas={
            name: Area.of(face, photo.size) for (name, photo), face in zip(photos.items(), faces, strict=True)
        },
        time=round(time.perf_counter() - start, 2),
        **_notes(call),
    )


async def _faces(
    service: Service, call: Call, name: str, *, expression: bool = False, identity: bool = False
) -> AnalyzedPhoto:
    """The faces of an image, at least one. Raises ApiError 400 when there is none, unless the whole image may be the face."""
    data, options = call.image(name), call.options
    photo = AnalyzedPhoto([], (0, 0))
    async with service.admitted():
        if options.detector_backend != SKIP:
            photo = await service.analyze(data, expression=expression, identity=identity)
            if not photo.faces and options.enforce_detection:
                message = f"Face could not be detected in {name}; send another photo, or enforce_detection: false"
                raise ApiError(400, "no_face", message)
        if not photo.faces:
            photo = await service.analyze(data, expression=expression, identity=identity, cropped=True)
            photo = photo._replace(faces=[replace(face, score=0.0) for face in photo.faces])
    return photo._replace(faces=photo.faces[: options.max_faces])


def _notes(call: Call) -> dict[str, list[str]]:
    """The field ``notes``, when there are any."""
    return {"notes": call.options.notes} if call.options.notes else {}
