"""CompreFace's API, photos: recognition, detection, verification. docs/compatible.md lists what is supported.

>>> curl --header "x-api-key: KEY" --form file=@photo.jpg http://127.0.0.1:8000/api/v1/recognition/recognize
"""

from __future__ import annotations

import time
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Depends, Query
from numpy.typing import NDArray

from facelet.runtime.face import Face
from facelet.serve.engine import AnalyzedPhoto
from facelet.serve.errors import ApiError, route_class
from facelet.serve.routes import compreface_collection as collection
from facelet.serve.routes.compreface_errors import ERRORS, as_compreface
from facelet.serve.routes.compreface_schemas import (
    ComparedFace,
    Detection,
    Located,
    PhotoComparison,
    PhotoComparisons,
    PhotoOptions,
    Prediction,
    Recognition,
    RecognizedFace,
    RecognizeOptions,
    StoredFaceComparison,
    similarity,
)
from facelet.serve.routes.dependencies import TheService, allowed
from facelet.serve.service import Service
from facelet.serve.upload import Upload, described, read_upload

router = APIRouter(
    prefix="/api/v1",
    tags=["CompreFace"],
    dependencies=[allowed("read")],
    responses=ERRORS,
    route_class=route_class(as_compreface, "/api/v1/"),
)
TheUpload = Annotated[Upload, Depends(read_upload)]
TheOptions = Annotated[PhotoOptions, Query()]


@router.post("/recognition/recognize", openapi_extra=described("file"), response_model_exclude_none=True)
async def recognize(
    service: TheService, upload: TheUpload, options: Annotated[RecognizeOptions, Query()]
) -> Recognition:
    """The most similar subjects of the faces in a photo, however unlike they are."""
    start = time.perf_counter()
    async with service.admitted():
        photo = await _identities(service, upload.one(), not options.detect_faces)
        faces = options.selected(photo)
        found = await service.with_gallery(
            lambda gallery: collection.predictions(gallery, faces, options.prediction_count)
        )
    seconds = time.perf_counter() - start
    return Recognition(
        result=[
            RecognizedFace(
                **Located.fields_of(face, photo.size, options, seconds),
                subjects=[
                    Prediction(subject=name, similarity=similarity(cosine, service.threshold))
                    for name, cosine in predictions
                ],
            )
            for face, predictions in zip(faces, found or [[] for _ in faces], strict=True)
        ],
        plugins_versions=_versions(service, options),
    )


@router.post("/detection/detect", openapi_extra=described("file"), response_model_exclude_none=True)
async def detect(service: TheService, upload: TheUpload, options: TheOptions) -> Detection:
    """The faces in a photo."""
    start = time.perf_counter()
    photo = await _identities(service, upload.one())
    faces = options.selected(photo)
    seconds = time.perf_counter() - start
    located = [Located(**Located.fields_of(face, photo.size, options, seconds)) for face in faces]
    return Detection(result=located, plugins_versions=_versions(service, options))


@router.post("/recognition/faces/{image_id}/verify", openapi_extra=described("file"), response_model_exclude_none=True)
async def verify_stored(
    service: TheService, upload: TheUpload, image_id: str, options: TheOptions
) -> StoredFaceComparison:
    """Compare the faces in a photo with a stored face."""
    start, key = time.perf_counter(), collection.checked_id(image_id)
    async with service.admitted():
        photo = await _identities(service, upload.one())
        faces = options.selected(photo)
        stored = await service.with_gallery(lambda gallery: collection.stored(gallery, [key]))
    if not stored:
        raise ApiError(404, "unknown_face", f"Image {key} not found")
    seconds = time.perf_counter() - start
    compared = [
        ComparedFace(
            **Located.fields_of(face, photo.size, options, seconds),
            subject=stored[0].name,
            similarity=_similarity(service, face, stored[0].vector),
        )
        for face in faces
    ]
    return StoredFaceComparison(result=compared, plugins_versions=_versions(service, options))


@router.post(
    "/verification/verify",
    openapi_extra=described("source_image", "target_image"),
    response_model_exclude_none=True,
)
async def verify(service: TheService, upload: TheUpload, options: TheOptions) -> PhotoComparisons:
    """Compare the faces of the target image with the one face of the source image."""
    start = time.perf_counter()
    images = [upload.one("source_image"), upload.one("target_image")]
    async with service.admitted():
        source, target = [await _identities(service, data) for data in images]
    one, *others = options.selected(source)
    if others:
        raise ApiError(400, "several_faces", "More than one face in the source image")
    faces = options.selected(target)
    seconds = time.perf_counter() - start
    matches = [
        ComparedFace(
            **Located.fields_of(face, target.size, options, seconds),
            similarity=_similarity(service, one, face.identity),
        )
        for face in faces
    ]
    comparison = PhotoComparison(
        source_image_face=Located(**Located.fields_of(one, source.size, options, seconds)),
        face_matches=matches,
        plugins_versions=_versions(service, options),
    )
    return PhotoComparisons(result=[comparison])


async def _identities(service: Service, data: bytes, cropped: bool = False) -> AnalyzedPhoto:
    return await service.analyze(data, expression=False, identity=True, cropped=cropped)


def _similarity(service: Service, face: Face, vector: NDArray[np.float32] | None) -> float:
    assert face.identity is not None
    assert vector is not None
    return similarity(float(face.identity @ vector), service.threshold)


def _versions(service: Service, options: PhotoOptions) -> dict[str, str] | None:
    """Names of the detector and the model, when they are asked for."""
    if not options.status:
        return None
    return {"detector": "facelet.YuNet", "calculator": f"facelet.{service.identity.path.stem}"}
