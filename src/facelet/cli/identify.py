"""`facelet identify`: identifies enrolled people in photos or a video; prints a table or JSON and draws names.

A face below the threshold is "unknown"; the nearest name is not shown.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from facelet.cli import watch
from facelet.cli.options import (
    Allow,
    Detail,
    DetectorFile,
    Every,
    GalleryFile,
    GalleryKey,
    IdentityModel,
    Json,
    MinQuality,
    MinScore,
    Threads,
    Threshold,
    TurnsChoice,
    configured_detector,
    console,
)
from facelet.cli.printing import drawings_in, drawn, print_training_notes, require_one, short_names, with_progress
from facelet.text import plain

if TYPE_CHECKING:
    from pathlib import Path

    from facelet.runtime.face import Face
    from facelet.runtime.media.predictions import Prediction
    from facelet.runtime.media.tracker import Track
    from facelet.runtime.people.gallery import Gallery
    from facelet.runtime.people.results import Match

UNKNOWN = "unknown"
DRAWN = 32
"""Maximum number of characters of a name drawn on a photo."""


def identify(
    photos: Annotated[
        list[str],
        typer.Argument(help="Photos, folders or globs; or one video, webcam (0) or stream (rtsp://, http://)."),
    ],
    model: IdentityModel = "",
    detector: DetectorFile = "",
    min_score: MinScore = None,
    detail: Detail = None,
    min_quality: MinQuality = 0.0,
    turns: TurnsChoice = "",
    gallery: GalleryFile = "",
    gallery_key: GalleryKey = "",
    threshold: Threshold = None,
    save: Annotated[str, typer.Option(help="Write photos with drawn names to this folder.")] = "",
    every: Every = 0.0,
    threads: Threads = 0,
    allow: Allow = False,
    as_json: Json = False,
) -> None:
    """Identify enrolled people in photos or a video."""
    from facelet.runtime.media.address import is_footage
    from facelet.runtime.people.gallery import Gallery

    finder = configured_detector(detector, min_score, detail, turns, is_footage(photos))
    with Gallery(gallery, model, finder, threshold, threads, key=gallery_key) as people:
        command(photos, people, min_quality=min_quality, every=every, save=save, as_json=as_json, console=console)


def command(
    places: Sequence[str],
    gallery: Gallery,
    *,
    min_quality: float = 0.0,
    every: float = 0.0,
    save: str = "",
    as_json: bool = False,
    console: Console,
) -> None:
    """Identifies faces, prints the results and draws them; a video or webcam must be the only place.

    Raises FaceletError when there is no model, no gallery or no readable photo.
    """
    from facelet.runtime.media import photos
    from facelet.runtime.media.address import is_footage
    from facelet.runtime.media.predictions import predictions
    from facelet.runtime.media.video import require_every

    require_every(every)
    analyzer = gallery.analyzer.with_min_quality(min_quality)
    if is_footage(places):
        gallery.ready()
        watch.command(places[0], analyzer, Names(gallery), every=every, save=save, as_json=as_json, console=console)
        return
    others: list[Path] = []
    files = photos.find(places, others)
    gallery.ready()
    drawings = drawings_in(save, files)
    print_training_notes(gallery.analyzer.model.info)
    results: list[IdentifiedPhoto] = []
    for result in with_progress(predictions(analyzer, files), len(files)):
        matches = gallery.matches(result.faces)
        if drawings and not result.error:
            result = drawn(result, drawings, [caption(match) for match in matches])
        if result.error and len(files) > 1:
            print(f"skipped: {result.error}", file=sys.stderr)
        results.append(IdentifiedPhoto(replace(result, photo=None), matches))
    for line in photos.passed_over(others):
        print(line, file=sys.stderr)
    require_one([result.photo for result in results])
    if as_json:
        print(json.dumps(_document(gallery, results) | {"passed_over": [plain(str(file)) for file in others]}))
    else:
        _show(results, gallery, save, console)


@dataclass(frozen=True, eq=False)
class IdentifiedPhoto:
    """One photo with its matches, or the error of an unreadable photo."""

    photo: Prediction
    matches: Sequence[Match]

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``json.dumps``, without the identity vectors."""
        document = self.photo.to_json()
        if not self.photo.error:
            document["faces"] = [
                {
                    "box": [round(value, 1) for value in match.face.box],
                    "detector_score": round(match.face.score, 4),
                    "name": match.name,
                    "score": round(match.score, 5),
                    "warnings": list(match.face.warnings),
                }
                for match in self.matches
            ]
        return document


class Names:
    """Captions of tracks in a video: the best match of the mean identity vector so far."""

    title = "name"

    def __init__(self, gallery: Gallery) -> None:
        self.gallery = gallery

    def _match(self, track: Track) -> Match:
        from facelet.runtime.face import Face

        return self.gallery.matches([Face(track.box, 1.0, identity=track.vector)])[0]

    def caption(self, track: Track) -> str:
        return caption(self._match(track))

    def to_json(self, face: Face, track: Track) -> dict[str, Any]:
        match = self._match(track)
        return {"name": match.name, "score": round(match.score, 5)}

    def summary(self, track: Track) -> str:
        return caption(self._match(track))

    def summary_json(self, track: Track) -> dict[str, Any]:
        match = self._match(track)
        return {"name": match.name, "score": round(match.score, 5)}


def caption(match: Match) -> str:
    """Text drawn on a face: name and score."""
    from facelet.runtime.drawing.lettering import shortened

    name = UNKNOWN if match.name is None else match.name
    return f"{shortened(name, DRAWN)} {match.score:.2f}"


def _document(gallery: Gallery, results: list[IdentifiedPhoto]) -> dict[str, Any]:
    model = gallery.analyzer.model
    return {
        "model": {"file": str(model.path), "name": model.info.name, "sha256": model.sha256},
        "gallery": str(gallery.file),
        "threshold": gallery.threshold,
        "photos": [result.to_json() for result in results],
    }


def _show(results: list[IdentifiedPhoto], gallery: Gallery, folder: str, console: Console) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("photo", "face", "detected", "name", "score", "left, top, w x h"):
        table.add_column(title, overflow="fold", no_wrap=title not in ("photo", "name"))
    matches = [match for result in results for match in result.matches]
    warn = any(match.face.warnings for match in matches)
    if warn:
        table.add_column("warnings", overflow="fold")
    names = short_names([result.photo.name for result in results])
    for name, result in zip(names, results, strict=True):
        if result.photo.error:
            table.add_row(Text(name), "", "", Text("cannot be read", "red"))
        elif not result.matches:
            table.add_row(Text(name), "", "", Text("no face found", "dim"))
        for number, match in enumerate(result.matches, 1):
            left, top, width, height = (round(value) for value in match.face.box)
            table.add_row(
                Text(name if number == 1 else ""),
                str(number),
                f"{match.face.score:.2f}",
                Text(UNKNOWN, "dim") if match.name is None else Text(match.name),
                f"{match.score:.3f}",
                f"{left}, {top}, {width} x {height}",
                *[Text("; ".join(match.face.warnings), "yellow")] * warn,
            )
    console.print(table)
    known = sum(match.name is not None for match in matches)
    read = sum(not result.photo.error for result in results)
    parts = [f"{read} photo{'s' * (read != 1)}", f"{len(matches)} face{'s' * (len(matches) != 1)}", f"{known} known"]
    parts += [f"{len(results) - read} skipped"] * (read < len(results)) + [f"threshold {gallery.threshold:.3f}"]
    console.print(Text(", ".join(parts), "dim"))
    if folder:
        console.print(Text(f"drawn: {folder}{os.sep}", "dim"), soft_wrap=True)
