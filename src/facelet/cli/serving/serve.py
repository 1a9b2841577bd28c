"""`facelet serve`: the HTTP service."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from facelet.cli.options import (
    Allow,
    ClassPrior,
    Detail,
    DetectorFile,
    GalleryFile,
    GalleryKey,
    MinScore,
    Threshold,
    TurnsChoice,
)
from facelet.errors import FaceletError


def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen on; any but a loopback address needs an API key.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="TCP port; 0 picks a free one.")] = 8000,
    model: Annotated[
        str, typer.Option(help="Expression model: file or name; default: $FACELET_MODEL, else expression.")
    ] = "",
    identity_model: Annotated[
        str, typer.Option(help="Identity model: file or name; default: $FACELET_IDENTITY_MODEL, else identity.")
    ] = "",
    prior: ClassPrior = "training",
    detector: DetectorFile = "",
    min_score: MinScore = None,
    detail: Detail = None,
    turns: TurnsChoice = "",
    gallery: GalleryFile = "",
    gallery_key: GalleryKey = "",
    threshold: Threshold = None,
    keys: Annotated[
        str | None, typer.Option(help="File of API keys; default: $FACELET_KEYS, else in the user's data folder.")
    ] = None,
    audit: Annotated[
        str | None, typer.Option(help="File for a line per enrollment and deletion; default: standard error.")
    ] = None,
    origins: Annotated[
        list[str] | None,
        typer.Option("--origin", help="Web origin that may call the service from a browser; repeatable."),
    ] = None,
    body_bytes: Annotated[int, typer.Option(help="Largest request body in bytes.")] = 10 << 20,
    upload_bytes: Annotated[int, typer.Option(help="Bytes of all request bodies together.")] = 256 << 20,
    upload_seconds: Annotated[float, typer.Option(help="Time within which a request body must arrive.")] = 20.0,
    pixels: Annotated[int, typer.Option(help="Most pixels of a photo.")] = 25_000_000,
    faces: Annotated[int, typer.Option(help="Most faces analyzed in a photo, the largest.")] = 100,
    photos: Annotated[int, typer.Option(help="Most photos in one enrollment.")] = 16,
    seconds: Annotated[
        float, typer.Option(help="Time within which an accepted request is answered, else status 504.")
    ] = 10.0,
    queue: Annotated[int, typer.Option(help="Most requests under way; another is answered with status 429.")] = 64,
    batch: Annotated[int, typer.Option(help="Most photos or crops that share a model run.")] = 64,
    batch_ms: Annotated[float, typer.Option(help="Longest time in ms that a crop waits for others.")] = 2.0,
    threads: Annotated[int, typer.Option(help="Worker threads; 0 uses one per processor.")] = 0,
    new_key: Annotated[str, typer.Option(help="Make an API key of this name, print it once, and exit.")] = "",
    scopes: Annotated[
        list[str] | None,
        typer.Option("--scope", help="Scope of the new key: read, enroll or delete; repeatable; default: read."),
    ] = None,
    allow: Allow = False,
) -> None:
    """Serve expressions and identities over HTTP, on this machine only unless --host says otherwise."""
    options = locals()
    for name in ("new_key", "scopes", "allow"):
        options.pop(name)
    command(options, new_key, scopes)


def command(options: dict[str, Any], new_key: str = "", scopes: list[str] | None = None) -> None:
    """Makes a key, or serves with the options of Settings."""
    try:
        import fastapi  # noqa: F401
        import httptools  # noqa: F401
        import prometheus_client  # noqa: F401
        import python_multipart  # noqa: F401
        import uvicorn  # noqa: F401
    except ModuleNotFoundError as error:
        from facelet.installation import install_command

        raise FaceletError(f"facelet serve needs {error.name}: {install_command('serve')}") from None
    from facelet.serve.settings import Settings

    settings = Settings.checked(**options)
    if new_key:
        from facelet.serve.auth import create_key, find_keys

        file = find_keys(settings.keys)
        print(create_key(file, new_key, scopes or ["read"]))
        typer.echo(f"the key {new_key!r} is shown only now; {file} has its hash", err=True)
        return
    if scopes:
        raise FaceletError("--scope is for --new-key NAME")
    from facelet.serve.server import run

    run(settings)
