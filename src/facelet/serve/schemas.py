"""Responses of the native API, with their descriptions and examples for OpenAPI."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from facelet.runtime.face import Face
from facelet.runtime.model import Model
from facelet.runtime.people.results import Enrollment, Match
from facelet.runtime.people.store import EnrolledPerson
from facelet.runtime.people.verify import Verification
from facelet.serve.engine import AnalyzedPhoto

BOX = [112.4, 80.1, 140.2, 188.7]
LANDMARKS = [[150.1, 150.2], [214.9, 149.3], [183.0, 190.4], [157.7, 223.8], [208.6, 222.9]]


class Response(BaseModel):
    """Base of all responses."""

    model_config = ConfigDict(frozen=True)


class ErrorBody(Response):
    """What went wrong."""

    code: str = Field(description="a word for programs", examples=["unreadable_image"])
    message: str = Field(description="a sentence for people", examples=["the photo: the JPEG file is cut short"])


class ErrorResponse(Response):
    """The body of every error."""

    error: ErrorBody


class FoundFace(Response):
    """A face of a photo."""

    box: tuple[float, float, float, float] = Field(
        description="left, top, width and height in pixels of the upright photo; may reach beyond it", examples=[BOX]
    )
    score: float = Field(description="the detector's, 0 to 1; 1 for a ready crop", examples=[0.94])
    roll: float = Field(description="degrees by which the face is turned clockwise", examples=[0.0])
    landmarks: list[list[float]] | None = Field(
        description="x and y of the eyes, the nose tip and the mouth corners; null for a ready crop",
        examples=[LANDMARKS],
    )
    warnings: list[str] = Field(description="reasons to distrust the prediction", examples=[[]])
    quality: float | None = Field(
        description="how well the face can be seen: probability that an expression is right, 0 to 1", examples=[0.81]
    )


class AnalyzedFace(FoundFace):
    """A face with its expression."""

    expression: str | None = Field(description="the most likely label", examples=["happiness"])
    probabilities: dict[str, float] = Field(
        description="label -> probability; they sum to 1", examples=[{"neutral": 0.08, "happiness": 0.92}]
    )
    embedding: list[float] | None = Field(
        description="identity vector of length 1; null unless requested", examples=[None]
    )


class Analysis(Response):
    """The faces of a photo with their expressions, largest first."""

    width: int = Field(description="of the upright photo in pixels", examples=[640])
    height: int = Field(description="of the upright photo in pixels", examples=[480])
    faces: list[AnalyzedFace]
    omitted: int = Field(description="faces beyond the server's limit, which were not analyzed", examples=[0])

    @classmethod
    def of(cls, photo: AnalyzedPhoto) -> Analysis:
        width, height = photo.size
        faces = [AnalyzedFace.model_construct(**_face(face)) for face in photo.faces]
        return cls.model_construct(width=width, height=height, faces=faces, omitted=photo.omitted)


class EmbeddedFace(FoundFace):
    """A face with its identity vector."""

    embedding: list[float] = Field(description="vector of length 1; the dot product of two is their cosine")


class Embeddings(Response):
    """The faces of a photo with their identity vectors, largest first."""

    width: int = Field(description="of the upright photo in pixels", examples=[640])
    height: int = Field(description="of the upright photo in pixels", examples=[480])
    sha256: str = Field(description="hash of the identity model's file: vectors of two models cannot be compared")
    faces: list[EmbeddedFace]
    omitted: int = Field(description="faces beyond the server's limit, which were not analyzed", examples=[0])

    @classmethod
    def of(cls, photo: AnalyzedPhoto, model: Model) -> Embeddings:
        width, height = photo.size
        faces = [EmbeddedFace.model_construct(**_face(face)) for face in photo.faces]
        return cls.model_construct(width=width, height=height, sha256=model.sha256, faces=faces, omitted=photo.omitted)


class VerifiedFaces(Response):
    """Whether two photos show the same person."""

    same: bool = Field(description="whether the score reaches the threshold", examples=[True])
    score: float = Field(description="cosine of the two identity vectors, -1 to 1", examples=[0.61])
    threshold: float = Field(description="minimum score of the same person", examples=[0.35])
    faces: tuple[FoundFace, FoundFace] = Field(description="the compared faces, of photo a and photo b")
    notes: list[str] = Field(description="remarks on the choice and the size of the faces", examples=[[]])

    @classmethod
    def of(cls, result: Verification) -> VerifiedFaces:
        first, second = (FoundFace.model_construct(**_face(face)) for face in result.faces)
        score = round(result.score, 5)
        return cls(
            same=result.same, score=score, threshold=result.threshold, faces=(first, second), notes=list(result.notes)
        )


class IdentifiedFace(FoundFace):
    """A face with its name."""

    name: str | None = Field(
        description="the most similar enrolled person; null below the threshold", examples=["Anna"]
    )
    similarity: float = Field(description="cosine to that person's most similar face, -1 to 1", examples=[0.68])


class Identities(Response):
    """The people of a photo, largest face first."""

    width: int = Field(description="of the upright photo in pixels", examples=[640])
    height: int = Field(description="of the upright photo in pixels", examples=[480])
    threshold: float = Field(description="minimum similarity of a named person", examples=[0.35])
    faces: list[IdentifiedFace]
    omitted: int = Field(description="faces beyond the server's limit, which were not analyzed", examples=[0])

    @classmethod
    def of(cls, photo: AnalyzedPhoto, matches: list[Match], threshold: float) -> Identities:
        width, height = photo.size
        faces = [
            IdentifiedFace.model_construct(**_face(match.face), name=match.name, similarity=round(match.score, 5))
            for match in matches
        ]
        return cls.model_construct(width=width, height=height, threshold=threshold, faces=faces, omitted=photo.omitted)


class Person(Response):
    """An enrolled person."""

    name: str = Field(examples=["Anna"])
    faces: int = Field(description="number of enrolled faces", examples=[2])
    first: str = Field(description="time of the first enrollment, UTC", examples=["2026-11-28T10:00:00+00:00"])
    last: str = Field(description="time of the last enrollment, UTC", examples=["2026-11-28T10:00:00+00:00"])


class People(Response):
    """All enrolled people, sorted by name."""

    people: list[Person]

    @classmethod
    def of(cls, people: list[EnrolledPerson]) -> People:
        return cls(people=[Person(**vars(person)) for person in people])


class LookalikeFace(Response):
    """A new face that looks like a person of another name."""

    name: str = Field(description="the other name", examples=["Anne"])
    similarity: float = Field(description="cosine of the two faces", examples=[0.52])


class EnrolledFaces(Response):
    """What an enrollment added."""

    name: str = Field(description="as it is stored: stripped and in Unicode's NFC", examples=["Anna"])
    faces: int = Field(description="number of new faces", examples=[1])
    already: int = Field(description="faces that were enrolled before", examples=[0])
    alike: list[LookalikeFace] = Field(
        description="new faces that look like another enrolled person; empty without the scope read", examples=[[]]
    )
    notes: list[str] = Field(description="remarks on the choice and the size of the faces", examples=[[]])

    @classmethod
    def of(cls, result: Enrollment, show_others: bool) -> EnrolledFaces:
        alike = [LookalikeFace(name=other.name, similarity=round(other.score, 5)) for other in result.alike]
        return cls(
            name=result.name,
            faces=result.faces,
            already=result.already,
            alike=alike if show_others else [],
            notes=list(result.notes),
        )


class ChangedPerson(Response):
    """A renamed or deleted person."""

    name: str = Field(examples=["Anna"])
    faces: int = Field(description="number of their faces", examples=[2])


class NewName(BaseModel):
    """The new name of a person."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(description="1 to 200 printable characters", examples=["Anna Schmidt"])


class ServedModel(Response):
    """An open model."""

    task: str = Field(examples=["expression"])
    file: str = Field(description="name of its file", examples=["expression.onnx"])
    name: str = Field(examples=["student-int8"])
    sha256: str = Field(description="hash of its file")
    precision: str = Field(examples=["int8"])
    labels: list[str] = Field(examples=[["neutral", "happiness"]])
    threshold: float | None = Field(description="minimum cosine of the same person, for an identity model")
    licence: str = Field(description="of the training data")

    @classmethod
    def of(cls, model: Model) -> ServedModel:
        info = model.info
        return cls(
            task=info.task,
            file=model.path.name,
            name=info.name,
            sha256=model.sha256,
            precision=info.precision,
            labels=list(info.labels),
            threshold=info.threshold,
            licence=info.licence,
        )


class Models(Response):
    """The open models, and the version of Facelet."""

    version: str = Field(examples=["0.1.0"])
    models: list[ServedModel]


class Health(Response):
    """The state of the service."""

    status: str = Field(examples=["ok"])


def _face(face: Face) -> dict[str, Any]:
    """The face as `facelet predict --json` prints it, but for the name of the vector."""
    values = face.to_json()
    values["box"] = tuple(values["box"])
    values["embedding"] = values.pop("identity")
    return values
