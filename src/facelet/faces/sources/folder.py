"""Users' own faces: one folder per class, or a CSV of files and labels.

>>> faces = load("folder:my_faces")                       # my_faces/happy/1.jpg, or my_faces/train/happy/1.jpg
>>> faces = load("folder:my_faces.zip?val=0.1&test=0.2")  # the same layout in a zip
>>> faces = load("folder:my_faces.csv?classes=sad,happy") # path,label[,split][,group][,identity]

Without folders (or a column) for the splits, faces are split by their names' hashes, stratified by class. If several photos
show the same person, add a ``group`` column, or the figures will be too optimistic; a folder layout has no groups.
"""

from __future__ import annotations

import csv
import io
import unicodedata
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from facelet.errors import FaceletError, unknown
from facelet.faces.faceset import SPLITS, FaceSet
from facelet.faces.loading import SOURCES
from facelet.faces.reading.archive import MAX_FILE, Archive, open_archive, suffix, unlisted
from facelet.faces.sources.listing import Listing, ignored_files, load_listing, shared_top
from facelet.faces.splits import ALIASES
from facelet.io.files import existing, read_bytes

COLUMNS = ("path", "label", "split", "group", "identity")


@SOURCES.register("folder")
def folder(
    path: str,
    *,
    size: int | None = None,
    channels: int | None = None,
    unreadable: str = "refuse",
    classes: str = "",
    val: float = 0.1,
    test: float = 0.1,
    licence: str = "unknown",
) -> FaceSet:
    """Labelled images of a folder, a zip or a CSV.

    Args:
        path: folder, zip or CSV.
        size: side in pixels; None takes the median side of a sample. A face that is not square is stretched to a square, as at
            inference.
        channels: 1 grey, 3 RGB; None takes grey if all images of a sample are grey.
        unreadable: "refuse", or "skip" unreadable files and count them in the protocol's notes.
        classes: labels in label order, "a,b,c"; by default all labels, sorted.
        val: share of validation faces when there is no validation split.
        test: share of test faces when there are no splits.
        licence: licence of the faces, copied to model files.

    Raises FaceletError when there are no images, for unknown labels and for classes with a single face.
    """
    with _listed(existing(path)) as (archive, listing):
        return load_listing(
            archive,
            listing,
            size=size,
            channels=channels,
            unreadable=unreadable,
            classes=classes,
            val=val,
            test=test,
            licence=licence,
        )


@contextmanager
def _listed(place: Path) -> Iterator[tuple[Archive, Listing]]:
    if place.is_file() and suffix(place.name) == ".csv":
        archive = unlisted(place.parent)
        yield archive, _from_csv(archive, place)
    else:
        with open_archive(place) as archive:
            yield archive, _from_folders(archive)


def _from_folders(archive: Archive) -> Listing:
    """Listing of an ImageFolder layout, [train|val|test/]CLASS/image, possibly inside further folders."""
    files = archive.images
    if not files:
        raise FaceletError(
            f"{archive.path} holds no images; expected a folder for each class with .jpg, .png or other images in it"
        )
    top = shared_top(files)
    parts = [file[len(top) :].split("/") for file in files]
    first = Counter(part[0] for part in parts if len(part) > 1)
    split_names = [name for name in first if name.lower() in ALIASES]
    split_layout = bool(split_names) and (len(split_names) == len(first) or "train" in map(str.lower, split_names))
    if split_layout and len(split_names) < len(first):
        others = ", ".join(sorted(set(first) - set(split_names))[:5])
        raise FaceletError(
            f"{archive.path} has {', '.join(sorted(split_names))} beside {others}; expected only the split folders there"
        )
    depth = 2 if split_layout else 1
    stray = [file for file, part in zip(files, parts, strict=True) if len(part) <= depth]
    if stray:
        where = "a split but in no class" if split_layout else "no class folder"
        raise FaceletError(
            f"{archive.path}: {len(stray):,} images are in {where} ({', '.join(stray[:3])}); expected "
            f"{'SPLIT/' * split_layout}CLASS/image, or name a CSV of path,label: folder:faces.csv"
        )
    labels = [part[depth - 1] for part in parts]
    below = {name[len(top) :] for name in archive.folders if name.startswith(top)}
    class_folders = {PurePosixPath(name).name for name in below if name.count("/") == depth - 1}
    empty = sorted(class_folders - set(labels))
    if empty:
        raise FaceletError(f"{archive.path}: class folder {empty[0]!r} holds no images; fill it or remove it")
    splits = [ALIASES[part[0].lower()] for part in parts] if split_layout else None
    notes = _notes(archive, top, depth)
    return Listing(files, ["/".join(part) for part in parts], labels, splits, notes=notes)


def _notes(archive: Archive, top: str, depth: int) -> tuple[str, ...]:
    """Notes on skipped parent folders (except a zip's usual single one) and on ignored files among the images."""
    passed = top if archive.path.is_dir() else top.partition("/")[2]
    return (f"the classes are the folders inside {passed}",) * bool(passed) + ignored_files(archive, top, depth)


def _from_csv(archive: Archive, where: Path) -> Listing:
    """Listing of a CSV with path,label[,split][,group][,identity]; paths are relative to the CSV and inside its folder."""
    try:
        text = unicodedata.normalize("NFC", read_bytes(where, MAX_FILE).decode("utf-8-sig"))
        reader = csv.reader(io.StringIO(text))
        numbered = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise FaceletError(f"{where} is not a CSV in UTF-8 ({error})") from None
    lines, table = [line for line, _ in numbered], [row for _, row in numbered]
    if len(table) < 2:
        raise FaceletError(f"{where} has no rows; expected a first line of path,label[,split][,group][,identity]")
    header = [cell.strip().lower() for cell in table[0]]
    if len(header) == 1:
        raise FaceletError(f"{where}: its first line, {header[0]!r}, has no comma; cells are separated by commas")
    for column in header:
        if column not in COLUMNS:
            raise unknown(f"column in {where}", column, COLUMNS)
    if not {"path", "label"} <= set(header) or len(set(header)) < len(header):
        raise FaceletError(
            f"{where}: its first line should be path,label[,split][,group][,identity], not {','.join(header)}"
        )
    for line, row in numbered:
        if len(row) != len(header):
            raise FaceletError(f"{where}: line {line} has {len(row)} cells, the first line {len(header)}")
    cells = {column: [row[at].strip() for row in table[1:]] for at, column in enumerate(header)}
    files = [str(PurePosixPath(cell.replace("\\", "/"))) for cell in cells["path"]]
    _check_files(archive, where, files, lines[1:])
    if "" in cells["label"]:
        at = cells["label"].index("")
        raise FaceletError(f"{where}: line {lines[at + 1]} ({files[at]}) has no label")
    splits = None
    if "split" in cells:
        wrong = next((value for value in cells["split"] if value.lower() not in ALIASES), None)
        if wrong is not None:
            raise unknown(f"split in {where}", wrong, SPLITS)
        splits = [ALIASES[value.lower()] for value in cells["split"]]
    return Listing(files, files, cells["label"], splits, cells.get("group"), cells.get("identity"))


def _check_files(archive: Archive, where: Path, files: list[str], lines: list[int]) -> None:
    for line, file in zip(lines, files, strict=True):
        if file.startswith("/") or ".." in file.split("/") or file[1:2] == ":":
            raise FaceletError(
                f"{where}: line {line}, {file!r} is not beside or below the CSV; move the CSV to the folder above both"
            )
    name, times = Counter(files).most_common(1)[0]
    if times > 1:
        raise FaceletError(f"{where}: {name!r} is in {times} rows; every face should be there once")
    missing = [file for file in files if not archive.holds(file)]
    if missing:
        more = f" and {len(missing) - 3:,} more" if len(missing) > 3 else ""
        raise FaceletError(f"{where}: no such files beside it: {', '.join(missing[:3])}{more}")
