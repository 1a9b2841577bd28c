"""Builds the static site: the page, ONNX Runtime for browsers, the detector and the models.

>>> build("site", models=["expression"])
Site(folder=PosixPath('site'), files=31, bytes=46790213, version='8c1f0d9e2b7a')

Any web server can serve the folder, under any path. ``folder`` is the same site in the user's cache, for `facelet serve`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from facelet import __version__
from facelet.errors import FaceletError
from facelet.io.files import read_bytes, read_json, write_json, writing
from facelet.models import bundled, model_file
from facelet.models.model_file import ModelInfo
from facelet.runtime import detector, network, yunet
from facelet.runtime.analyzer import find_model
from facelet.runtime.drawing.draw import COLOURS
from facelet.runtime.media import tracker
from facelet.serve.web import onnxruntime_web

PAGE = Path(__file__).with_name("page")
MARK = "site.json"
"""Written last: version and files of a finished site. A folder with it may be overwritten."""
CSP = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "worker-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
    ]
)
"""Content security policy of the page: no inline code, no other origin. In its ``<meta>``, and for a server's header."""
MAX_BYTES = 1 << 28


@dataclass(frozen=True)
class Site:
    """A written site.

    Attributes:
        folder: where it is.
        files: number of its files.
        bytes: their total size.
        version: hash of their contents, which names the offline cache.
    """

    folder: Path
    files: int
    bytes: int
    version: str


def build(
    out: str | Path,
    models: Sequence[str | Path] = (),
    *,
    detector_file: str | Path = "",
    onnxruntime: str | Path = "",
) -> Site:
    """Writes the site to a folder; files of an earlier site that are no longer needed are removed.

    Args:
        out: a new or empty folder, or an earlier site.
        models: expression models, names or files, the default one first; default: as ``Analyzer``.
        detector_file: YuNet's file; default: see ``yunet.find``.
        onnxruntime: see ``onnxruntime_web.find``.

    Raises FaceletError when the folder has other files, when a model cannot run in the page, or when a part cannot be found.
    """
    _require_free(Path(out))
    runtime, yunet_file = onnxruntime_web.find(onnxruntime), yunet.find(detector_file)
    return _written(Path(out), *_contents(models or [""], runtime, yunet_file))


def folder() -> Path | None:
    """The site in the user's cache, rebuilt after an upgrade; None when a part is not on this machine. Downloads nothing."""
    from platformdirs import user_cache_path

    try:
        runtime, yunet_file = onnxruntime_web.find(download=False), yunet.find(download=False)
    except FaceletError:
        return None
    return _written(user_cache_path("facelet") / "web", *_contents([""], runtime, yunet_file)).folder


def _contents(models: Sequence[str | Path], runtime: Path, yunet_file: Path) -> tuple[dict[str, bytes], str]:
    """Path in the site -> content, and the site's version."""
    page = {file.relative_to(PAGE).as_posix(): file.read_bytes() for file in sorted(PAGE.rglob("*")) if file.is_file()}
    script, html = page.pop("sw.js").decode(), page["index.html"].decode()
    page["index.html"] = html.replace("{{CSP}}", CSP).encode()
    needed = [*page, "config.json", *(f"ort/{name}" for name in onnxruntime_web.WASM), f"models/{yunet.NAME}"]
    files = page | {f"ort/{name}": read_bytes(runtime / name, MAX_BYTES) for name in onnxruntime_web.FILES}
    files[f"models/{yunet.NAME}"] = read_bytes(yunet_file, MAX_BYTES)
    entries = [_add_model(files, model) for model in models]
    needed.append(entries[0]["file"])
    files["config.json"] = json.dumps(_config(entries), indent=1).encode()
    notices = _notices()
    if notices:
        files["licences/onnxruntime-third-party.txt"] = notices
    version = _version(files | {"sw.js": script.encode()})
    values = {"VERSION": version, "FILES": json.dumps(_addresses(files)), "NEEDED": json.dumps(_addresses(needed))}
    for name, value in values.items():
        script = script.replace(f"{{{{{name}}}}}", value)
    return files | {"sw.js": script.encode()}, version


def _add_model(files: dict[str, bytes], model: str | Path) -> dict[str, Any]:
    """Adds a model and its twin to the files; returns its entry of config.json."""
    path = bundled.found(find_model(model))
    info, data = model_file.read(path), model_file.content(path)
    _require_usable(info, path)
    line = bundled.entry_of(path)
    name = line.name if line else info.name or path.stem
    place = f"models/{line.file if line else hashlib.sha256(data).hexdigest()[:12] + '.onnx'}"
    files[place] = data
    twin = _add_model(files, line.twin) if line and line.twin else None
    return {"name": name, "file": place, "twin": twin}


def _require_usable(info: ModelInfo, path: Path) -> None:
    reasons = {
        f"its task is {info.task}": info.task != "expression",
        f"it crops by {info.crop.align}": info.crop.align != "box",
        "it has early exits": info.exits is not None,
    }
    for reason, holds in reasons.items():
        if holds:
            raise FaceletError(
                f"{path} cannot run in the page: {reason}; expected an expression model that crops by box and has no early exits"
            )


def _config(models: list[dict[str, Any]]) -> dict[str, Any]:
    """What the page's scripts must know: the runtime's own constants."""
    return {
        "version": __version__,
        "onnxruntime": onnxruntime_web.pinned()[0],
        "models": models,
        "detector": {
            "file": f"models/{yunet.NAME}",
            "score": detector.SCORE,
            "scoreOfCrops": detector.SCORE_OF_CROPS,
            "detail": detector.DETAIL,
            "smallest": detector.SMALLEST,
            "hugeFace": detector.HUGE_FACE,
            "glance": detector.GLANCE,
            "diagonalGlance": detector.DIAGONAL_GLANCE,
            "glanceScore": detector.GLANCE_SCORE,
            "turned": detector.TURNED,
            "nms": network.NMS,
            "topK": network.TOP_K,
        },
        "frames": detector.FRAMES,
        "tracker": {"overlap": tracker.OVERLAP, "patience": tracker.PATIENCE, "steady": tracker.STEADY},
        "colours": ["#{:02x}{:02x}{:02x}".format(*colour) for colour in COLOURS],
    }


def _notices() -> bytes:
    """ONNX Runtime's notices of third parties, from the installed package; empty when it has none."""
    import onnxruntime

    file = Path(onnxruntime.__file__).with_name("ThirdPartyNotices.txt")
    return file.read_bytes() if file.is_file() else b""


def _addresses(names: Iterable[str]) -> list[str]:
    """Addresses of files: that of an index is its folder's, to which some servers redirect."""
    return [name.removesuffix("index.html") or "./" for name in names]


def _version(files: dict[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(name.encode() + b"\0" + hashlib.sha256(files[name]).digest())
    return digest.hexdigest()[:12]


def _require_free(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise FaceletError(f"{out} is not a folder; expected a folder for the site")
    if out.is_dir() and not (out / MARK).is_file() and any(out.iterdir()):
        raise FaceletError(f"{out} has other files; expected a new or empty folder, or a site that `facelet web` wrote")


def _written(out: Path, files: dict[str, bytes], version: str) -> Site:
    """Writes the files that differ, removes those of an earlier site, and marks the site as finished."""
    site = Site(out, len(files), sum(map(len, files.values())), version)
    before = read_json(out / MARK) if (out / MARK).is_file() else {}
    known = before.get("files", {}) if isinstance(before, dict) else {}
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    for name, data in files.items():
        if known.get(name) != digests[name] or not (out / name).is_file():
            with writing(out / name) as beside:
                beside.write_bytes(data)
    for name in known.keys() - files.keys():
        if not PurePosixPath(name).is_absolute() and ".." not in PurePosixPath(name).parts:
            (out / name).unlink(missing_ok=True)
    write_json(out / MARK, {"facelet": __version__, "version": version, "files": digests})
    return site
