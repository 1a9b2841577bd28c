"""Crops faces from photos into a folder with the same sub-folders, ready for training.

>>> cropper = FaceCropper(CropInfo(margin=0.1))
>>> for result in outcomes(targets(["photos/"], "faces"), cropper, Detector()):  # photos/happy/1.jpg -> faces/happy/1.png
...     print(result.photo, result.faces)

Faces are cropped by ``align.cut``, as at inference, so training and inference use the same crop. A photo with no face or
with several faces is reported and not cropped; an unreadable photo is reported and skipped.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import ValidationError

from facelet.errors import FaceletError, unknown
from facelet.io.files import writing
from facelet.io.pixels import Image, cv2
from facelet.models.model_file import Align, CropInfo
from facelet.runtime import align
from facelet.runtime.detector import Detection, Finder
from facelet.runtime.media import photos
from facelet.text import plain

OWN = 512
"""Maximum side of a crop that keeps the photo's resolution."""
LEAST, MOST = 8, 1024

Several = Literal["report", "largest", "all"]


@dataclass(frozen=True)
class CutFace:
    """One cropped face.

    Attributes:
        file: where the crop was written.
        box: left, top, width, height in photo pixels.
        score: the detector's, 0 to 1.
        side: side of the cropped area in photo pixels.
    """

    file: Path
    box: tuple[float, float, float, float]
    score: float
    side: float

    def to_json(self) -> dict[str, Any]:
        box = [round(value, 1) for value in self.box]
        return {"file": plain(str(self.file)), "box": box, "score": round(self.score, 4), "side": round(self.side, 1)}


@dataclass(frozen=True)
class CropResult:
    """Result for one photo.

    Attributes:
        photo: its file.
        found: number of detected faces.
        faces: those that were cropped.
        error: why the photo could not be read, or empty.
    """

    photo: Path
    found: int = 0
    faces: tuple[CutFace, ...] = ()
    error: str = ""

    def to_json(self) -> dict[str, Any]:
        name = plain(str(self.photo))
        if self.error:
            return {"photo": name, "error": self.error}
        return {"photo": name, "found": self.found, "faces": [face.to_json() for face in self.faces]}


@dataclass(frozen=True)
class FaceCropper:
    """Crops faces and writes them to files.

    Attributes:
        crop: alignment and margin, as in a model file.
        size: side in pixels; 0 keeps the photo's resolution, up to OWN.
        jpeg: quality, 1 to 100; 0 writes PNG, which is lossless.
        several: for a photo with several faces: crop none and report it, crop the largest, or crop all.
        overwrite: whether existing files may be replaced.

    Raises FaceletError for a size or quality out of range.
    """

    crop: CropInfo = field(default_factory=CropInfo)
    size: int = 0
    jpeg: int = 0
    several: Several = "report"
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.size and not LEAST <= self.size <= MOST:
            raise FaceletError(f"size {self.size} should be {LEAST} to {MOST} pixels, or 0 for the photo's own")
        if not 0 <= self.jpeg <= 100:
            raise FaceletError(f"JPEG quality {self.jpeg} should be 1 to 100, or 0 for PNG")

    @property
    def suffix(self) -> str:
        return ".jpg" if self.jpeg else ".png"

    def cut(self, photo: Image, face: Detection) -> tuple[Image, float]:
        """Returns the crop, uint8 (size, size, C), and the side of the cropped area in photo pixels."""
        side = align.side(face.box, face.landmarks, self.crop)
        size = self.size or min(OWN, max(LEAST, round(side)))
        return align.cut(photo, face.box, face.landmarks, self.crop, size, face.roll), side

    def outcome(
        self, file: Path, photo: Image | FaceletError, target: Path, find: Finder, taken: set[str]
    ) -> CropResult:
        """Crops the faces of one photo to ``target`` plus suffix. Raises FaceletError when they cannot be written.

        ``taken``: names in use by other photos, which several faces of a photo avoid; new names are added.
        """
        try:
            if isinstance(photo, FaceletError):
                raise photo
            found = find(photo)
        except FaceletError as error:
            return CropResult(file, error=plain(str(error)))
        chosen = found[:1] if self.several == "largest" else found
        if len(chosen) > 1 and self.several == "report":
            return CropResult(file, len(found))
        faces = []
        for number, face in enumerate(chosen, 1):
            name = f"{target.name}-face{number}" if len(chosen) > 1 else target.name
            while len(chosen) > 1 and str(target.with_name(name)).casefold() in taken:
                name += "-2"
            taken.add(str(target.with_name(name)).casefold())
            place = target.with_name(name + self.suffix)
            image, side = self.cut(photo, face)
            self._write(image, place)
            faces.append(CutFace(place, face.box, face.score, side))
        return CropResult(file, len(found), tuple(faces))

    def _write(self, image: Image, place: Path) -> None:
        if place.exists() and not self.overwrite:
            raise FaceletError(f"{place} already exists; choose another --out, or replace it with --overwrite")
        options = [cv2.IMWRITE_JPEG_QUALITY, self.jpeg] if self.jpeg else []
        _, encoded = cv2.imencode(self.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
        with writing(place) as beside:
            beside.write_bytes(encoded.tobytes())


def choose(before: CropInfo, align: str = "", margin: float | None = None) -> CropInfo:
    """Replaces the alignment or margin of ``before`` where given. Raises FaceletError for invalid values."""
    if align and align not in get_args(Align):
        raise unknown("alignment", align, get_args(Align))
    given = {"align": align or before.align, "margin": before.margin if margin is None else margin}
    try:
        return CropInfo.model_validate(given)
    except ValidationError as error:
        raise FaceletError(f"margin {margin:g}: {error.errors()[0]['msg']}") from None


def targets(places: Sequence[str | Path], out: str | Path, others: list[Path] | None = None) -> dict[Path, Path]:
    """Maps each photo to the path of its crop, without suffix: relative to ``out`` as the photo is to the common folder.

    Files in ``out``, written by an earlier call, are left out. Raises FaceletError as ``photos.find`` does, and when ``out``
    is the folder of the photos itself.
    """
    top, into = _common(places), os.path.abspath(out)
    if os.path.realpath(into) == os.path.realpath(top):
        raise FaceletError(f"--out {out} is the folder of the photos; choose another")
    files = [
        file for file in photos.find(places, others) if not os.path.abspath(file).startswith(os.path.join(into, ""))
    ]
    if not files:
        raise FaceletError(f"all photos are in the output folder {out}; choose another --out")
    placed: dict[Path, Path] = {}
    taken: set[str] = set()
    for file in files:
        stem = Path(os.path.relpath(os.path.abspath(file), top)).with_suffix("")
        name, number = stem, 1
        while str(name).casefold() in taken:  # a.jpg beside a.png
            number += 1
            name = stem.with_name(f"{stem.name}-{number}")
        taken.add(str(name).casefold())
        placed[file] = Path(out) / name
    return placed


def outcomes(placed: Mapping[Path, Path], cutter: FaceCropper, find: Finder) -> Iterator[CropResult]:
    """Yields a CropResult per photo, in order. Raises FaceletError, before any cropping, if an output file exists."""
    if not cutter.overwrite:
        endings = (cutter.suffix, f"-face1{cutter.suffix}")
        existing = [
            name for name in placed.values() if any(name.with_name(name.name + end).exists() for end in endings)
        ]
        if existing:
            raise FaceletError(
                f"{len(existing):,} of the output files already exist, such as {existing[0]}{cutter.suffix}; "
                "choose another --out, or replace them with --overwrite"
            )
    taken = {str(name).casefold() for name in placed.values()}
    for file, photo in photos.read_ahead(list(placed)):
        yield cutter.outcome(file, photo, placed[file], find, taken)


def _common(places: Sequence[str | Path]) -> str:
    """The absolute common parent folder of all places; a single folder is its own."""
    tops = [os.path.abspath(_top(place)) for place in places]
    try:
        return os.path.commonpath(tops)
    except ValueError:  # no place, or two drives
        raise FaceletError("the photos have no common folder; crop the photos of each drive separately") from None


def _top(place: str | Path) -> Path:
    path = Path(place)
    if path.is_dir():
        return path
    if not path.exists() and glob.has_magic(str(place)):
        fixed = next(number for number, part in enumerate(path.parts) if glob.has_magic(part))
        return Path(*path.parts[:fixed])
    return path.parent
