"""Requests of DeepFace's API: images and options from JSON, multipart or urlencoded forms.

>>> call = await read_call(request, service)
>>> call.image("img"), call.options.enforce_detection

Options that Facelet does not have are refused where ignoring them would mislead (``anti_spoofing``), and otherwise ignored, which
``Options.notes`` says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl

from fastapi import Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from facelet.serve import upload
from facelet.serve.errors import ApiError
from facelet.serve.routes.dependencies import TheService

MOST_FIELDS = 64
Action = Literal["emotion", "age", "gender", "race"]
Metric = Literal["cosine", "euclidean", "euclidean_l2", "angular"]
SKIP = "skip"
"""The detector backend for a ready crop."""


def _actions(value: object) -> object:
    """A list of actions, also when a form has it as text: ``["age", "emotion"]`` or ``age,emotion``."""
    if isinstance(value, str):
        return [word for word in value.translate(str.maketrans("", "", "[]()\"' ")).split(",") if word]
    return value


class Options(BaseModel):
    """Options of a request. Texts of forms are converted: ``true``, ``True`` and ``1`` are true."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())

    actions: Annotated[tuple[Action, ...], BeforeValidator(_actions)] = Field(
        ("emotion",), description="must include emotion; age, gender and race are not predicted"
    )
    enforce_detection: bool = Field(True, description="false: an image without a face is taken as one face")
    detector_backend: str = Field("yunet", description="skip: the image is a face; others are ignored, YuNet is used")
    max_faces: int | None = Field(None, ge=1, description="use this number of faces, the largest")
    distance_metric: Metric = Field("cosine", description="of two vectors of length 1")
    threshold: float | None = Field(
        None, ge=0, allow_inf_nan=False, description="largest distance of the same person; default: the model's"
    )
    anti_spoofing: bool = Field(False, description="true is refused: there is no such model")
    model_name: str = Field("", description="ignored: the service's identity model is used")
    align: bool = Field(True, description="ignored: faces are aligned as the model file specifies")
    expand_percentage: int = Field(0, description="ignored: the model file specifies the crop")
    normalization: str = Field("base", description="ignored: the model file specifies it")
    silent: bool = Field(False, description="ignored")

    @classmethod
    def checked(cls, fields: Mapping[str, object]) -> Options:
        """Options from a request's fields; empty ones keep their default. Raises ApiError 400 for invalid ones."""
        given = {name: value for name, value in fields.items() if value is not None and value != ""}
        try:
            options = cls.model_validate(given)
        except ValidationError as error:
            first = error.errors()[0]
            raise ApiError(400, "invalid", f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
        if options.anti_spoofing:
            raise ApiError(400, "invalid", "anti_spoofing: there is no model for it; send false")
        if "emotion" not in options.actions:
            raise ApiError(400, "invalid", f"actions: {', '.join(options.actions)}; only emotion is predicted")
        return options

    @property
    def notes(self) -> list[str]:
        """What was asked for and ignored."""
        others = [action for action in self.actions if action != "emotion"]
        notes = [f"actions: {', '.join(others)}: not predicted"] if others else []
        if self.model_name:
            notes.append(f"model_name: {self.model_name[:40]} was not used; the service has one identity model")
        if not self.align:
            notes.append("align: ignored; faces are aligned as the model file specifies")
        if self.expand_percentage:
            notes.append("expand_percentage: ignored; the model file specifies the crop")
        return notes


@dataclass(frozen=True)
class Call:
    """A request: text fields, files and options."""

    fields: Mapping[str, object]
    files: Mapping[str, list[bytes]]
    options: Options

    def image(self, name: str) -> bytes:
        """The image ``img``, ``img1`` or ``img2``, also under its older name ``img_path`` and so on.

        Raises ApiError 400 when it is missing, and for a path or URL.
        """
        for key in (name, f"{name}_path"):
            if files := self.files.get(key):
                return files[0]
            value = self.fields.get(key)
            if isinstance(value, list) and len(value) == 1:
                value = value[0]
            if value:
                return upload.from_base64(value, key)
        raise ApiError(400, "missing_file", f"'{name}' not found; send base64 (a data URI) or a file")


_JSON = TypeAdapter(dict[str, Any])


async def read_call(request: Request, service: TheService) -> Call:
    """Reads a request by its Content-Type. Raises ApiError."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    files: Mapping[str, list[bytes]] = {}
    fields: Mapping[str, object]
    if kind == "multipart/form-data":
        form = await upload.read(request, field_bytes=service.settings.body_bytes)
        fields, files = form.fields, form.files
    elif kind == "application/x-www-form-urlencoded":
        try:
            fields = dict(parse_qsl((await request.body()).decode(), max_num_fields=MOST_FIELDS))
        except ValueError:
            raise ApiError(400, "invalid_body", "the body is no form") from None
    elif kind == "application/json":
        try:
            fields = _JSON.validate_json(await request.body())
        except ValidationError as error:
            raise ApiError(400, "invalid_body", f"the body is no JSON object: {error.errors()[0]['msg']}") from None
    else:
        raise ApiError(400, "unsupported_media_type", f"Content-Type {kind!r}; expected JSON or a form")
    return Call(fields, files, Options.checked(fields))


def described(*images: str) -> dict[str, Any]:
    """OpenAPI's description of a body with these images and the options, for ``openapi_extra``."""
    options = Options.model_json_schema()["properties"]

    def body(kind: dict[str, str]) -> dict[str, Any]:
        properties = {**{name: {"type": "string", **kind} for name in images}, **options}
        return {"schema": {"type": "object", "properties": properties, "required": list(images)}}

    text = {"description": "an image in base64, with or without the prefix of a data URI"}
    content = {
        "application/json": body({"format": "byte", **text}),
        "multipart/form-data": body({"format": "binary"}),
        "application/x-www-form-urlencoded": body({"format": "byte", **text}),
    }
    return {"requestBody": {"required": True, "content": content}}
