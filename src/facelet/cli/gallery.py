"""`facelet enroll`, and `facelet gallery` with list, remove, rename, export, retention, copy and key.

Only ``export --embeddings`` prints vectors, because they are biometric data that identify a person elsewhere.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from facelet.cli.options import (
    Allow,
    Detail,
    DetectorFile,
    GalleryFile,
    GalleryKey,
    IdentityModel,
    Largest,
    MinScore,
    Threads,
    Threshold,
    TurnsChoice,
    configured_detector,
    console,
)
from facelet.cli.printing import print_training_notes

if TYPE_CHECKING:
    from facelet.runtime.people.gallery import Gallery

app = typer.Typer(no_args_is_help=True, help="Manage enrolled people, and where and how long they are stored.")


def enroll(
    name: Annotated[str, typer.Argument(help="Name of the person.")],
    photos: Annotated[list[str], typer.Argument(help="Photos with one face each; folders or globs.")],
    model: IdentityModel = "",
    detector: DetectorFile = "",
    min_score: MinScore = None,
    detail: Detail = None,
    turns: TurnsChoice = "",
    gallery: GalleryFile = "",
    gallery_key: GalleryKey = "",
    threshold: Threshold = None,
    largest: Largest = False,
    small: Annotated[
        bool,
        typer.Option("--small", help="Accept faces smaller than half the size that the model was measured from."),
    ] = False,
    threads: Threads = 0,
    allow: Allow = False,
) -> None:
    """Add a person's faces to the gallery: those of all photos, or none if a photo fails."""
    from facelet.runtime.people.gallery import Gallery

    finder = configured_detector(detector, min_score, detail, turns)
    with Gallery(gallery, model, finder, threshold, threads, key=gallery_key) as people:
        enroll_photos(people, name, photos, largest=largest, small=small, console=console)


@app.command(name="list")
def list_people(gallery: GalleryFile = "", gallery_key: GalleryKey = "") -> None:
    """List names, numbers of faces, and dates of enrollment."""
    from facelet.runtime.people.gallery import Gallery

    with Gallery(gallery, key=gallery_key) as people:
        show_people(people, console=console)


@app.command()
def remove(
    names: Annotated[list[str], typer.Argument(help="Names to delete; if a name is unknown, none is deleted.")],
    gallery: GalleryFile = "",
    gallery_key: GalleryKey = "",
) -> None:
    """Delete people and their faces permanently."""
    from facelet.runtime.people.gallery import Gallery

    with Gallery(gallery, key=gallery_key) as people:
        remove_people(people, names, console=console)


@app.command()
def rename(
    old: Annotated[str, typer.Argument(help="Name of an enrolled person.")],
    new: Annotated[str, typer.Argument(help="New name.")],
    gallery: GalleryFile = "",
    gallery_key: GalleryKey = "",
    merge: Annotated[
        bool, typer.Option("--merge", help="If the new name is enrolled, give it the faces of both.")
    ] = False,
) -> None:
    """Give a person another name; the dates of enrollment stay."""
    from facelet.runtime.people.gallery import Gallery

    with Gallery(gallery, key=gallery_key) as people:
        rename_person(people, old, new, merge=merge, console=console)


@app.command()
def export(
    gallery: GalleryFile = "",
    gallery_key: GalleryKey = "",
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead of JSON.")] = False,
    embeddings: Annotated[
        bool, typer.Option("--embeddings", help="Print each face with its vector, which is biometric data.")
    ] = False,
) -> None:
    """Print names, counts and dates as JSON or CSV."""
    from facelet.runtime.people.gallery import Gallery

    with Gallery(gallery, key=gallery_key) as people:
        print_people(people, as_csv=as_csv, embeddings=embeddings)


@app.command()
def retention(
    time: Annotated[
        str, typer.Argument(help="Such as 12h, 30d or 8w; off: keep faces forever; default: print it.")
    ] = "",
    gallery: GalleryFile = "",
    gallery_key: GalleryKey = "",
) -> None:
    """Print or set how long faces are kept; older ones are deleted now, and from now on without a command."""
    from facelet.runtime.people.gallery import Gallery

    with Gallery(gallery, key=gallery_key) as people:
        set_retention(people, time, console=console)


@app.command()
def copy(
    source: Annotated[str, typer.Argument(help="Gallery: a file, or the URL of a database.")],
    target: Annotated[str, typer.Argument(help="New gallery: a file, or the URL of a database.")],
    source_key: Annotated[
        str, typer.Option("--source-key", help="Key file of an encrypted source; $FACELET_GALLERY_KEY is not used.")
    ] = "",
    gallery_key: Annotated[
        str,
        typer.Option("--gallery-key", help="Key file that encrypts the new gallery; $FACELET_GALLERY_KEY is not used."),
    ] = "",
) -> None:
    """Copy a gallery: encrypt it, decrypt it, change its key, or move it to or from PostgreSQL."""
    copy_gallery(source, target, source_key=source_key, gallery_key=gallery_key, console=console)


@app.command()
def key(file: Annotated[str, typer.Argument(help="New file, which only you can read.")]) -> None:
    """Make a key for encrypted galleries. Keep a copy elsewhere: without it the galleries cannot be read."""
    from facelet.runtime.people.storage.keys import make_key_file

    make_key_file(Path(file))
    console.print(f"{file}: a new key; keep a copy in another place than the gallery", markup=False, soft_wrap=True)


def enroll_photos(
    gallery: Gallery,
    name: str,
    places: Sequence[str],
    *,
    largest: bool = False,
    small: bool = False,
    console: Console,
) -> None:
    """Enrolls the faces of photos, folders and globs under a name, and prints warnings to standard error."""
    from facelet.runtime.media import photos

    others: list[Path] = []
    files = photos.find(places, others)
    result = gallery.enroll(name, files, largest, small)
    print_training_notes(gallery.analyzer.model.info)
    for line in photos.passed_over(others):
        print(line, file=sys.stderr)
    for note in result.notes:
        print(note, file=sys.stderr)
    for other in result.alike:
        print(f"warning: {other}", file=sys.stderr)
    already = f", {result.already} already enrolled" if result.already else ""
    console.print(
        f"{result.name}: {_faces(result.faces)} enrolled{already}; {gallery.file}", markup=False, soft_wrap=True
    )


def show_people(gallery: Gallery, *, console: Console) -> None:
    """Prints a table of names, numbers of faces, and dates."""
    from facelet.runtime.people.retention import spoken

    people, model = gallery.people(), gallery.model
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("name", "faces", "first enrolled", "last enrolled"):
        table.add_column(title, justify="right" if title == "faces" else "left", overflow="fold")
    for person in people:
        table.add_row(Text(person.name), f"{person.faces:,}", _day(person.first), _day(person.last))
    if people:
        console.print(table)
    faces = sum(person.faces for person in people)
    maker = f", made with {model.file} (SHA-256 {model.sha256[:12]})" if model else ""
    names = f"{len(people):,} name{'s' * (len(people) != 1)}"
    kept = gallery.retention
    limit = f", kept for {spoken(kept)}" if kept else ""
    console.print(Text(f"{names}, {_faces(faces)}{limit}{maker}; {gallery.file}", "dim"), soft_wrap=True)


def remove_people(gallery: Gallery, names: Sequence[str], *, console: Console) -> None:
    """Deletes people permanently, and prints how many faces were removed."""
    for name, faces in gallery.remove(*names).items():
        console.print(f"{name}: {_faces(faces)} removed", markup=False, soft_wrap=True)


def rename_person(gallery: Gallery, old: str, new: str, *, merge: bool = False, console: Console) -> None:
    """Renames a person, and prints the number of faces."""
    faces = gallery.rename(old, new, merge)
    console.print(f"{new.strip()}: {_faces(faces)}, before: {old.strip()}", markup=False, soft_wrap=True)


def set_retention(gallery: Gallery, time: str, *, console: Console) -> None:
    """Sets the retention time unless ``time`` is empty, and prints it."""
    from facelet.runtime.people.retention import parse, spoken

    if time:
        gallery.set_retention(parse(time))
    kept = gallery.retention
    text = f"faces are kept for {spoken(kept)}" if kept else "faces are kept until they are removed"
    console.print(f"{text}; {gallery.file}", markup=False, soft_wrap=True)


def copy_gallery(source: str, target: str, *, source_key: str = "", gallery_key: str = "", console: Console) -> None:
    """Copies a gallery into a new one, and prints the number of faces."""
    from facelet.runtime.people.storage.keys import read_key
    from facelet.runtime.people.storage.location import find
    from facelet.runtime.people.store import EmbeddingStore

    old, new = find(source), find(target)
    old_key, new_key = (read_key(file) if file else None for file in (source_key, gallery_key))
    with (
        closing(EmbeddingStore(old, key=old_key)) as original,
        closing(EmbeddingStore(new, create=True, key=new_key)) as copied,
    ):
        faces = original.copy_to(copied)
    console.print(f"{faces:,} face{'s' * (faces != 1)} copied; {old} -> {new}", markup=False, soft_wrap=True)


def print_people(gallery: Gallery, *, as_csv: bool = False, embeddings: bool = False) -> None:
    """Prints one row per person, or with ``embeddings`` one row per face, with its vector."""
    rows: list[dict[str, Any]]
    if embeddings:
        rows = [{**face._asdict(), "vector": face.vector.tolist()} for face in gallery.faces()]
    else:
        rows = [vars(person) for person in gallery.people()]
    if as_csv:
        head = ["name", "photo", "enrolled", "vector"] if embeddings else ["name", "faces", "first", "last"]
        writer = csv.DictWriter(sys.stdout, head, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows if not embeddings else [{**row, "vector": json.dumps(row["vector"])} for row in rows])
        return
    model = gallery.model
    maker = {"file": model.file, "sha256": model.sha256} if model else None
    print(json.dumps({"model": maker, "faces" if embeddings else "people": rows}))


def _faces(count: int) -> str:
    return f"{count:,} face{'s' * (count != 1)}"


def _day(when: str) -> str:
    return when[:16].replace("T", " ")
