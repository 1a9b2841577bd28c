"""`facelet web`: writes a static site that analyzes photos and the webcam inside the browser."""

from __future__ import annotations

import json
import shlex
from typing import Annotated

import typer
from rich.text import Text

from facelet.cli.options import DetectorFile, Json, console, errors


def web(
    out: Annotated[str, typer.Option(help="Folder of the site: new, empty, or an earlier site.")],
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="Expression model: file or name; repeatable, the first is the page's default. Default: expression."
        ),
    ] = None,
    detector: DetectorFile = "",
    onnxruntime_web: Annotated[
        str,
        typer.Option(
            help="The npm package onnxruntime-web: folder or .tgz; default: $FACELET_ONNXRUNTIME_WEB, else fetched once by npm."
        ),
    ] = "",
    as_json: Json = False,
) -> None:
    """Write a static site that analyzes photos and the webcam inside the browser; photos never leave the visitor's machine."""
    from facelet.serve.web.site import build

    with errors.status("building the site"):
        site = build(out, model or (), detector_file=detector, onnxruntime=onnxruntime_web)
    if as_json:
        fields = {"out": str(site.folder), "files": site.files, "bytes": site.bytes, "version": site.version}
        print(json.dumps(fields))
        return
    console.print(
        Text(f"{site.folder}: {site.files} files, {site.bytes / 1e6:.1f} MB, version {site.version}"), soft_wrap=True
    )
    command = f"python -m http.server --bind 127.0.0.1 --directory {shlex.quote(str(site.folder))} 8000"
    console.print(Text(f"to try it: {command}, then open http://localhost:8000"), soft_wrap=True)
