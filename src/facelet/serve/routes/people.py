"""Native API: the enrolled people."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from facelet.serve.errors import ApiError
from facelet.serve.json_body import JsonBody
from facelet.serve.routes.dependencies import ERRORS, UPLOAD_ERRORS, TheActor, TheKey, TheService, allowed
from facelet.serve.schemas import ChangedPerson, EnrolledFaces, ErrorResponse, NewName, People
from facelet.serve.upload import Upload, described, read_upload

router = APIRouter(prefix="/v1/people", tags=["people"])
NEW_NAME: JsonBody[NewName] = JsonBody(NewName)
NAME = {"name": "the person's name, 1 to 200 printable characters"}
UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"model": ErrorResponse, "description": "nobody has this name"}}
USED: dict[int | str, dict[str, Any]] = {409: {"model": ErrorResponse, "description": "somebody else has the new name"}}


@router.get("", dependencies=[allowed("read")], responses=ERRORS)
async def people(service: TheService) -> People:
    """All enrolled people."""
    return People.of(await service.people())


@router.post(
    "",
    status_code=201,
    dependencies=[allowed("enroll")],
    responses=UPLOAD_ERRORS,
    openapi_extra=described("file", several=True, fields=NAME),
)
async def enroll(
    service: TheService,
    upload: Annotated[Upload, Depends(read_upload)],
    actor: TheActor,
    key: TheKey,
    largest: Annotated[bool, Query(description="use the largest of several faces in a photo, with a note")] = False,
    small: Annotated[
        bool, Query(description="accept faces smaller than half of what the model was measured from")
    ] = False,
) -> EnrolledFaces:
    """Add a person's faces: those of all photos, or none if a photo fails. Only people who have agreed to it."""
    if "name" not in upload.fields:
        raise ApiError(422, "invalid_name", "no field 'name'")
    result = await service.enroll(upload.fields["name"], upload.all(), actor, largest=largest, small=small)
    return EnrolledFaces.of(result, show_others="read" in key.scopes)


@router.patch(
    "/{name:path}",
    dependencies=[allowed("enroll")],
    responses={**UPLOAD_ERRORS, **UNKNOWN, **USED},
    openapi_extra=NEW_NAME.described,
)
async def rename(
    service: TheService, name: str, actor: TheActor, new: Annotated[NewName, Depends(NEW_NAME)]
) -> ChangedPerson:
    """Give a person another name."""
    return ChangedPerson(name=new.name, faces=await service.rename(name, new.name, actor))


@router.delete("/{name:path}", dependencies=[allowed("delete")], responses={**ERRORS, **UNKNOWN})
async def remove(service: TheService, name: str, actor: TheActor) -> ChangedPerson:
    """Delete a person and their vectors permanently."""
    return ChangedPerson(name=name, faces=await service.remove(name, actor))
