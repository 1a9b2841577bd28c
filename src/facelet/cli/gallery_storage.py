"""`facelet gallery retention`, `copy` and `key`: how long, where and how a gallery is stored."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from facelet.cli.options import GalleryFile, GalleryKey, console

if TYPE_CHECKING:
    from facelet.runtime.people.gallery import Gallery


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


def key(file: Annotated[Path, typer.Argument(help="New file, which only you can read.")]) -> None:
    """Make a key for encrypted galleries. Keep a copy elsewhere: without it the galleries cannot be read."""
    from facelet.runtime.people.storage.keys import make_key_file

    make_key_file(file)
    console.print(f"{file}: a new key; keep a copy in another place than the gallery", markup=False, soft_wrap=True)


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
    from contextlib import closing

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
