"""Parameters and responses of CompreFace's API, and its similarity. Fields that are None are left out of the answers."""

from __future__ import annotations

import math
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from facelet.runtime.face import Face
from facelet.serve.engine import AnalyzedPhoto
from facelet.serve.errors import ApiError
from facelet.serve.routes.deepface_schemas import clipped
from facelet.serve.schemas import Response

SLOPE = 5.292
"""Slope of CompreFace's similarity at 0.5, that of its FaceNet model."""
MOST_PREDICTIONS = 100


def similarity(cosine: float, threshold: float) -> float:
    """CompreFace's similarity, 0 to 1, of two faces with this cosine; 0.5 at the ``threshold``, the least cosine of a person.

    It is CompreFace's own formula of the distance of two vectors of length 1, (tanh((limit - distance) slope) + 1) / 2, with the
    distance at the threshold as the limit.
    """
    distance, limit = (math.sqrt(2 - 2 * min(1.0, max(-1.0, value))) for value in (cosine, threshold))
    return round((math.tanh((limit - distance) * SLOPE) + 1) / 2, 5)


class PhotoOptions(BaseModel):
    """Query parameters of the routes that take a photo; unknown ones are ignored."""

    model_config = ConfigDict(frozen=True)

    limit: int = Field(0, ge=0, description="use this number of faces, the largest; 0: all")
    det_prob_threshold: float | None = Field(
        None, ge=0, le=1, description="minimum detector score; below the service's own it changes nothing"
    )
    face_plugins: str = Field("", description="landmarks, calculator (adds vectors); others are ignored")
    status: bool = Field(False, description="add times and versions")

    @property
    def plugins(self) -> set[str]:
        return {slug.strip() for slug in self.face_plugins.split(",")}

    def selected(self, photo: AnalyzedPhoto) -> list[Face]:
        """The faces that reach the score, at most ``limit``. Raises ApiError when there is none."""
        least = self.det_prob_threshold or 0.0
        faces = [face for face in photo.faces if face.score >= least][: self.limit or None]
        if not faces:
            raise ApiError(400, "no_face", "No face is found in the given image")
        return faces


class RecognizeOptions(PhotoOptions):
    """Query parameters of the recognition."""

    prediction_count: int = Field(1, ge=1, le=MOST_PREDICTIONS, description="number of subjects for each face")
    detect_faces: bool = Field(True, description="false: the image is one cropped face")


class Box(Response):
    """A face's box in whole pixels, within the photo."""

    probability: float = Field(description="the detector's score, 0 to 1", examples=[0.93871])
    x_max: int = Field(description="right", examples=[280])
    y_max: int = Field(description="bottom", examples=[207])
    x_min: int = Field(description="left", examples=[172])
    y_min: int = Field(description="top", examples=[66])


class Located(Response):
    """A face of a photo."""

    box: Box
    landmarks: list[tuple[int, int]] | None = Field(
        None, description="eyes, nose tip, mouth corners; with the plugin landmarks", examples=[[[200, 120]]]
    )
    embedding: list[float] | None = Field(None, description="vector of length 1; with the plugin calculator")
    execution_time: dict[str, float] | None = Field(
        None, description="milliseconds of the whole request; with status=true", examples=[{"total": 21.0}]
    )

    @classmethod
    def fields_of(
        cls, face: Face, size: tuple[int, int], options: PhotoOptions, seconds: float = 0.0
    ) -> dict[str, Any]:
        """The fields of a face in a photo of this width and height."""
        left, top, right, bottom = clipped(face, size)
        fields: dict[str, Any] = {
            "box": Box(probability=round(face.score, 5), x_max=right, y_max=bottom, x_min=left, y_min=top)
        }
        if "landmarks" in options.plugins and face.landmarks is not None:
            fields["landmarks"] = [(round(float(x)), round(float(y))) for x, y in face.landmarks]
        if "calculator" in options.plugins and face.identity is not None:
            fields["embedding"] = face.identity.tolist()
        if options.status:
            fields["execution_time"] = {"total": round(1000 * seconds, 1)}
        return fields


class Versions(Response):
    """A response that may name the detector and the model."""

    plugins_versions: dict[str, str] | None = Field(
        None,
        description="with status=true",
        examples=[{"detector": "facelet.YuNet", "calculator": "facelet.identity"}],
    )


class Prediction(Response):
    """A subject that a face looks like."""

    subject: str = Field(description="the name", examples=["Anna"])
    similarity: float = Field(description="0 to 1; 0.5 at the service's threshold", examples=[0.97858])


class RecognizedFace(Located):
    """A face with the most similar subjects."""

    subjects: list[Prediction] = Field(description="most similar first; empty while nobody is enrolled")


class Recognition(Versions):
    """The faces of a photo with the most similar subjects, largest face first."""

    result: list[RecognizedFace]


class Detection(Versions):
    """The faces of a photo, largest first."""

    result: list[Located]


class ComparedFace(Located):
    """A face with its similarity to another one."""

    subject: str | None = Field(None, description="name of the stored face", examples=["Anna"])
    similarity: float = Field(description="0 to 1; 0.5 at the service's threshold", examples=[0.97858])


class StoredFaceComparison(Versions):
    """The faces of a photo, compared with a stored face."""

    result: list[ComparedFace]


class PhotoComparison(Versions):
    """The faces of the target image, compared with the one of the source image."""

    source_image_face: Located
    face_matches: list[ComparedFace]


class PhotoComparisons(Response):
    """A comparison of two photos, in a list."""

    result: list[PhotoComparison]


class StoredFace(Response):
    """A face in the gallery."""

    image_id: str = Field(description="UUID", examples=["6b135f5b-a365-5522-b1f1-4c9ac2dd0728"])
    subject: str = Field(description="the name", examples=["Anna"])


class StoredFaces(Response):
    """A page of the faces in the gallery, sorted by subject."""

    faces: list[StoredFace]
    page_number: int = Field(examples=[0])
    page_size: int = Field(description="as requested", examples=[20])
    total_pages: int = Field(examples=[1])
    total_elements: int = Field(description="number of faces", examples=[1])


class SubjectName(BaseModel):
    """The name of a subject."""

    subject: str = Field(description="1 to 200 printable characters", examples=["Anna"])


class Subjects(Response):
    """All subjects, sorted by name."""

    subjects: list[str] = Field(description="names", examples=[["Anna"]])


class Updated(Response):
    """Whether a subject was renamed."""

    updated: bool = Field(description="false when the name is the same", examples=[True])


class Deleted(Response):
    """What was deleted."""

    deleted: int = Field(description="number of faces or subjects", examples=[2])
