"""The verbs of `facelet` about who people are: verify, enroll, identify, gallery; short functions, no logic."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from facelet.cli_options import Allow, Detail, DetectorFile, MinScore

console = Console(highlight=False)
gallery_app = typer.Typer(no_args_is_help=True, help="Who is enrolled: list, remove, export.")

ModelFile = Annotated[
    str,
    typer.Option(
        "--model", help="An identity model's file or name; $FACELET_IDENTITY_MODEL when not given, or identity."
    ),
]
GalleryFile = Annotated[
    str, typer.Option("--gallery", help="$FACELET_GALLERY when not given, else in the user's data folder.")
]
Threshold = Annotated[
    float | None, typer.Option(help="Cosine from which faces count as one person's; the model's own.")
]
Largest = Annotated[bool, typer.Option("--largest", help="Of several faces in a photo take the largest, and say so.")]
Threads = Annotated[int, typer.Option(help="0: all cores.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def verify(
    a: Annotated[str, typer.Argument(help="A photo with one face.")],
    b: Annotated[str, typer.Argument(help="Another.")],
    model: ModelFile = "",
    detector: DetectorFile = "",
    min_score: MinScore = None,
    detail: Detail = None,
    threshold: Threshold = None,
    largest: Largest = False,
    threads: Threads = 0,
    allow: Allow = False,
    as_json: Json = False,
) -> None:
    """Say whether two photos show the same person: exit code 0 the same, 1 different, 2 a mistake."""
    from facelet.runtime.detector import configured
    from facelet.runtime.people import verify as verification

    code = verification.command(
        a,
        b,
        model=model,
        detector=configured(detector, min_score, detail),
        threshold=threshold,
        largest=largest,
        threads=threads,
        as_json=as_json,
        console=console,
    )
    raise typer.Exit(code)


def enroll(
    name: Annotated[str, typer.Argument(help="Who it is.")],
    photos: Annotated[list[str], typer.Argument(help="Photos with one face each, folders or globs.")],
    model: ModelFile = "",
    detector: DetectorFile = "",
    min_score: MinScore = None,
    detail: Detail = None,
    gallery: GalleryFile = "",
    threshold: Threshold = None,
    largest: Largest = False,
    small: Annotated[
        bool,
        typer.Option("--small", help="Take faces of less than half the size that the model was measured from, too."),
    ] = False,
    threads: Threads = 0,
    allow: Allow = False,
) -> None:
    """Put somebody's faces into the gallery: all of the photos, or none."""
    from facelet.runtime import gallery_commands
    from facelet.runtime.detector import configured
    from facelet.runtime.people.gallery import Gallery

    finder = configured(detector, min_score, detail)
    with Gallery(gallery, model, finder, threshold, threads) as people:
        gallery_commands.enroll(people, name, photos, largest=largest, small=small, console=console)


def identify(
    photos: Annotated[list[str], typer.Argument(help="Photos, folders or globs; or one video; or 0, the webcam.")],
    model: ModelFile = "",
    detector: DetectorFile = "",
    min_score: MinScore = None,
    detail: Detail = None,
    gallery: GalleryFile = "",
    threshold: Threshold = None,
    save: Annotated[str, typer.Option(help="Write photos with the names drawn into this folder.")] = "",
    every: Annotated[float, typer.Option(help="Of a video: look every so many seconds; 0: at every frame.")] = 0.0,
    threads: Threads = 0,
    allow: Allow = False,
    as_json: Json = False,
) -> None:
    """Find faces in photos or a video and say whose they are, of those enrolled."""
    from facelet.runtime import identify as identification
    from facelet.runtime.detector import configured
    from facelet.runtime.people.gallery import Gallery

    finder = configured(detector, min_score, detail)
    with Gallery(gallery, model, finder, threshold, threads) as people:
        identification.command(photos, people, every=every, save=save, as_json=as_json, console=console)


@gallery_app.command(name="list")
def list_people(gallery: GalleryFile = "") -> None:
    """Names, how many faces each, and when they were enrolled."""
    from facelet.runtime import gallery_commands
    from facelet.runtime.people.gallery import Gallery

    with Gallery(gallery) as people:
        gallery_commands.listed(people, console=console)


@gallery_app.command()
def remove(
    names: Annotated[list[str], typer.Argument(help="Who; all of them, or none when one is unknown.")],
    gallery: GalleryFile = "",
) -> None:
    """Delete people and their faces for good."""
    from facelet.runtime import gallery_commands
    from facelet.runtime.people.gallery import Gallery

    with Gallery(gallery) as people:
        gallery_commands.remove(people, names, console=console)


@gallery_app.command()
def export(
    gallery: GalleryFile = "",
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead of JSON.")] = False,
    embeddings: Annotated[
        bool, typer.Option("--embeddings", help="Every face with its vector: biometric data.")
    ] = False,
) -> None:
    """Print names, counts and dates as JSON or CSV."""
    from facelet.runtime import gallery_commands
    from facelet.runtime.people.gallery import Gallery

    with Gallery(gallery) as people:
        gallery_commands.export(people, as_csv=as_csv, embeddings=embeddings)
