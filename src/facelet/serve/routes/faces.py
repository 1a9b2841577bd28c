"""Native API: analyze, verify, embed, identify, models."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from facelet import __version__
from facelet.serve.routes.dependencies import UPLOAD_ERRORS, TheService, allowed
from facelet.serve.schemas import Analysis, Embeddings, Identities, Models, ServedModel, VerifiedFaces
from facelet.serve.upload import Upload, described, read_upload

router = APIRouter(prefix="/v1", tags=["faces"], dependencies=[allowed("read")], responses=UPLOAD_ERRORS)
TheUpload = Annotated[Upload, Depends(read_upload)]
Cropped = Annotated[bool, Query(description="the image is one cropped face: it is not searched for faces")]
Largest = Annotated[bool, Query(description="use the largest of several faces, with a note")]


@router.post("/analyze", openapi_extra=described("file"))
async def analyze(
    service: TheService,
    upload: TheUpload,
    cropped: Cropped = False,
    embeddings: Annotated[
        bool, Query(description="also answer with identity vectors, which are biometric data")
    ] = False,
    prior: Annotated[
        str | None,
        Query(
            max_length=500,
            description="class prior: training, uniform, uniform^POWER (a part of the way, 0 to 1), or "
            "LABEL=SHARE,LABEL=SHARE; default: the service's",
            examples=["uniform^0.25"],
        ),
    ] = None,
) -> Analysis:
    """Expressions of the faces in a photo."""
    return Analysis.of(await service.analyze(upload.one(), identity=embeddings, cropped=cropped, prior=prior))


@router.post("/verify", openapi_extra=described("a", "b"))
async def verify(
    service: TheService,
    upload: TheUpload,
    threshold: Annotated[float | None, Query(ge=-1, le=1, description="minimum cosine of the same person")] = None,
    largest: Largest = False,
) -> VerifiedFaces:
    """Whether two photos show the same person."""
    a, b = upload.one("a"), upload.one("b")
    return VerifiedFaces.of(await service.verify(a, b, threshold=threshold, largest=largest))


@router.post("/embed", openapi_extra=described("file"))
async def embed(service: TheService, upload: TheUpload, cropped: Cropped = False) -> Embeddings:
    """Identity vectors of the faces in a photo: biometric data."""
    photo = await service.analyze(upload.one(), expression=False, identity=True, cropped=cropped)
    return Embeddings.of(photo, service.identity)


@router.post("/identify", openapi_extra=described("file"))
async def identify(service: TheService, upload: TheUpload, cropped: Cropped = False) -> Identities:
    """Names of the enrolled people in a photo."""
    photo, matches = await service.identify(upload.one(), cropped=cropped)
    return Identities.of(photo, matches, service.threshold)


@router.get("/models")
async def models(service: TheService) -> Models:
    """The open models."""
    return Models(
        version=__version__, models=[ServedModel.of(model) for model in (service.expression, service.identity)]
    )
