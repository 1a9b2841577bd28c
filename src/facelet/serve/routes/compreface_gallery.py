"""CompreFace's API, the face collection: enrolled faces and subjects.

A subject is an enrolled person. There are no subjects without faces, and no pictures: docs/compatible.md says what follows.
"""

from __future__ import annotations

import itertools
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field

from facelet.errors import FaceletError
from facelet.runtime.people import subject as people
from facelet.runtime.people.enrolled import checked_name
from facelet.serve.errors import ApiError, explained, route_class
from facelet.serve.json_body import JsonBody
from facelet.serve.routes import compreface_collection as collection
from facelet.serve.routes.compreface_errors import ERRORS, as_compreface
from facelet.serve.routes.compreface_schemas import (
    Deleted,
    PhotoOptions,
    StoredFace,
    StoredFaces,
    SubjectName,
    Subjects,
    Updated,
)
from facelet.serve.routes.dependencies import TheActor, TheService, allowed
from facelet.serve.upload import Upload, described, read_upload

router = APIRouter(
    prefix="/api/v1/recognition",
    tags=["CompreFace"],
    responses=ERRORS,
    route_class=route_class(as_compreface, "/api/v1/"),
)
MOST_IDS = 1000
IDS: JsonBody[list[str]] = JsonBody(Annotated[list[str], Field(max_length=MOST_IDS)])
SUBJECT_NAME: JsonBody[SubjectName] = JsonBody(SubjectName)
TheName = Annotated[SubjectName, Depends(SUBJECT_NAME)]
Subject = Annotated[str | None, Query(description="the name")]


@router.post("/faces", status_code=201, dependencies=[allowed("enroll")], openapi_extra=described("file"))
async def add_face(
    service: TheService,
    upload: Annotated[Upload, Depends(read_upload)],
    actor: TheActor,
    subject: Subject = None,
    det_prob_threshold: Annotated[float | None, Query(ge=0, le=1, description="minimum detector score")] = None,
) -> StoredFace:
    """Enroll the one face of a photo under a name. Only people who have agreed to it."""
    name = _checked(subject if subject is not None else upload.fields.get("subject"))
    async with service.admitted():
        photo = await service.analyze(upload.one(), expression=False, identity=True)
        faces = PhotoOptions(det_prob_threshold=det_prob_threshold).selected(photo)
        try:
            person = people.main_face(faces)
        except FaceletError:
            raise ApiError(400, "several_faces", "More than one face in the given image") from None
        await service.add(name, [person], actor)
    return StoredFace(image_id=collection.image_id(name, person.vector), subject=name)


@router.get("/faces", dependencies=[allowed("read")])
async def list_faces(
    service: TheService,
    page: Annotated[int, Query(ge=0, le=1_000_000_000)] = 0,
    size: Annotated[int, Query(ge=1, le=1000, description="faces on a page")] = 20,
    subject: Subject = None,
) -> StoredFaces:
    """The enrolled faces, a page of them."""
    enrolled = await service.with_gallery(lambda gallery: list(gallery.faces())) or []
    chosen = [face for face in enrolled if subject in (None, "", face.name)]
    faces = [
        StoredFace(image_id=collection.image_id(face.name, face.vector), subject=face.name)
        for face in itertools.islice(chosen, page * size, (page + 1) * size)
    ]
    return StoredFaces(
        faces=faces,
        page_number=page,
        page_size=size,
        total_pages=-(-len(chosen) // size),
        total_elements=len(chosen),
    )


@router.delete("/faces", dependencies=[allowed("delete")])
async def delete_faces(service: TheService, actor: TheActor, subject: Subject = None) -> Deleted:
    """Delete the faces of a subject, or without the parameter those of everybody."""
    name = None if subject is None else _checked(subject)
    removed = await service.with_gallery(lambda gallery: collection.delete_all(gallery, actor, name))
    return Deleted(deleted=sum((removed or {}).values()))


@router.post("/faces/delete", dependencies=[allowed("delete")], openapi_extra=IDS.described)
async def delete_several(
    service: TheService, actor: TheActor, ids: Annotated[list[str], Depends(IDS)]
) -> list[StoredFace]:
    """Delete several faces; those that are not there are left out of the answer."""
    keys = [collection.checked_id(text) for text in ids]
    faces = await service.with_gallery(lambda gallery: collection.delete(gallery, keys, actor)) or []
    return [StoredFace(image_id=collection.image_id(face.name, face.vector), subject=face.name) for face in faces]


@router.delete("/faces/{image_id}", dependencies=[allowed("delete")])
async def delete_face(service: TheService, actor: TheActor, image_id: str) -> StoredFace:
    """Delete a face."""
    key = collection.checked_id(image_id)
    faces = await service.with_gallery(lambda gallery: collection.delete(gallery, [key], actor))
    if not faces:
        raise ApiError(404, "unknown_face", f"Image {key} not found")
    return StoredFace(image_id=key, subject=faces[0].name)


@router.get("/faces/{image_id}/img", dependencies=[allowed("read")], response_class=Response)
async def picture(image_id: str) -> Response:
    """No bytes: pictures are not stored. CompreFace answers so when it has no picture."""
    collection.checked_id(image_id)
    return Response(b"", media_type="application/octet-stream")


@router.get("/subjects/", dependencies=[allowed("read")], include_in_schema=False)
@router.get("/subjects", dependencies=[allowed("read")])
async def list_subjects(service: TheService) -> Subjects:
    """All names."""
    return Subjects(subjects=[person.name for person in await service.people()])


@router.post("/subjects", status_code=201, dependencies=[allowed("enroll")], openapi_extra=SUBJECT_NAME.described)
async def add_subject(service: TheService, new: TheName) -> SubjectName:
    """Check that a name is free. It is stored with its first face."""
    name = _checked(new.subject)
    if any(person.name == name for person in await service.people()):
        raise ApiError(400, "name_in_use", "Subject already exists")
    return SubjectName(subject=name)


@router.put("/subjects/{subject:path}", dependencies=[allowed("enroll")], openapi_extra=SUBJECT_NAME.described)
async def rename_subject(service: TheService, actor: TheActor, subject: str, new: TheName) -> Updated:
    """Give a subject another name. If somebody has it already, they get the faces, too."""
    old, name = _checked(subject), _checked(new.subject)
    if old == name:
        return Updated(updated=False)
    if not await service.with_gallery(lambda gallery: collection.rename(gallery, old, name, actor)):
        raise ApiError(404, "unknown_person", f"Subject {old} not found")
    return Updated(updated=True)


@router.delete("/subjects", dependencies=[allowed("delete")])
async def delete_subjects(service: TheService, actor: TheActor) -> Deleted:
    """Delete everybody."""
    removed = await service.with_gallery(lambda gallery: collection.delete_all(gallery, actor))
    return Deleted(deleted=len(removed or {}))


@router.delete("/subjects/{subject:path}", dependencies=[allowed("delete")])
async def delete_subject(service: TheService, actor: TheActor, subject: str) -> SubjectName:
    """Delete a subject with all faces, permanently."""
    await service.remove(subject, actor)
    return SubjectName(subject=_checked(subject))


def _checked(name: str | None) -> str:
    """The name as it is stored. Raises ApiError when it is missing or invalid."""
    if name is None:
        raise ApiError(400, "missing_parameter", "Required parameter subject is missing")
    with explained(400, "invalid_name"):
        return checked_name(name)
