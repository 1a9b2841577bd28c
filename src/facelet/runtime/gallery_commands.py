"""What ``facelet enroll`` and ``facelet gallery list|remove|export`` print.

>>> with Gallery("people.db", model="mobileface.onnx") as gallery:
...     enroll(gallery, "Anna", ["anna/"], console=Console())
...     listed(gallery, console=Console())

Only ``export`` with ``embeddings`` shows vectors: they are biometric data, enough to find the person elsewhere.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from facelet.runtime.media import photos
from facelet.runtime.people.gallery import Gallery
from facelet.runtime.telling import say_notes


def enroll(
    gallery: Gallery,
    name: str,
    places: Sequence[str],
    *,
    largest: bool = False,
    small: bool = False,
    console: Console,
) -> None:
    """Enrolls the faces of photos, folders and globs under a name; what looks wrong is said on standard error."""
    others: list[Path] = []
    files = photos.find(places, others)
    done = gallery.enroll(name, files, largest, small)
    say_notes(gallery.analyzer.model.info)
    for line in photos.passed_over(others):
        print(line, file=sys.stderr)
    for note in done.notes:
        print(note, file=sys.stderr)
    for other in done.alike:
        print(f"warning: {other}", file=sys.stderr)
    already = f", {done.already} were there already" if done.already else ""
    console.print(f"{done.name}: {_faces(done.faces)} enrolled{already}; {gallery.file}", markup=False, soft_wrap=True)


def listed(gallery: Gallery, *, console: Console) -> None:
    """A table of names, how many faces, and when."""
    from rich.table import Table
    from rich.text import Text

    people, model = gallery.people(), gallery.model
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("name", "faces", "first enrolled", "last enrolled"):
        table.add_column(title, justify="right" if title == "faces" else "left", overflow="fold")
    for person in people:
        table.add_row(Text(person.name), f"{person.faces:,}", _day(person.first), _day(person.last))
    if people:
        console.print(table)
    faces = sum(person.faces for person in people)
    made = f", made with {model.file} (SHA-256 {model.sha256[:12]})" if model else ""
    names = f"{len(people):,} name{'s' * (len(people) != 1)}"
    console.print(Text(f"{names}, {_faces(faces)}{made}; {gallery.file}", "dim"), soft_wrap=True)


def remove(gallery: Gallery, names: Sequence[str], *, console: Console) -> None:
    """Deletes people for good and says how many faces each had."""
    for name, faces in gallery.remove(*names).items():
        console.print(f"{name}: {_faces(faces)} removed", markup=False, soft_wrap=True)


def export(gallery: Gallery, *, as_csv: bool = False, embeddings: bool = False) -> None:
    """Prints a person a row; with ``embeddings`` a face a row, its vector in it."""
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
    made = {"file": model.file, "sha256": model.sha256} if model else None
    print(json.dumps({"model": made, "faces" if embeddings else "people": rows}))


def _faces(count: int) -> str:
    return f"{count:,} face{'s' * (count != 1)}"


def _day(when: str) -> str:
    return when[:16].replace("T", " ")
