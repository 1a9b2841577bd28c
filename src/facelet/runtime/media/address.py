"""What a place is: a video file, a webcam, or a camera in the network; and how it is printed, without its password.

>>> is_live("rtsp://admin:secret@camera/1"), is_live("0"), is_live("clip.mp4")
(True, True, False)
>>> shown("rtsp://admin:secret@camera/1?token=abc")
'rtsp://camera/1...'
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from facelet.errors import FaceletError

SUFFIXES = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".wmv", ".mpg", ".mpeg")
SCHEMES = ("rtsp", "rtsps", "http", "https")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


def is_webcam(place: str | Path) -> bool:
    """Whether the place is a webcam's number (0 is the first) and not a file of that name, or a device such as /dev/video0."""
    path = Path(place)
    try:
        return path.is_char_device() or (str(place).isdecimal() and not path.exists())
    except (OSError, ValueError):  # a name that no file can have
        return False


def is_address(place: str | Path) -> bool:
    """Whether the place is a URL."""
    return bool(_SCHEME.match(str(place)))


def is_live(place: str | Path) -> bool:
    """Whether the place is a webcam or a stream: its frames come at their own time and do not wait."""
    return is_webcam(place) or (is_address(place) and not _is_file(place))


def is_video(place: str | Path) -> bool:
    """Whether the place is a webcam, a URL, or has the suffix of a video file."""
    return is_webcam(place) or is_address(place) or _is_file(place)


def is_footage(places: Sequence[str | Path]) -> bool:
    """Whether the places are a single video, webcam or stream."""
    return len(places) == 1 and is_video(places[0])


def require_scheme(place: str | Path) -> None:
    """Raises FaceletError for a URL of another scheme than SCHEMES, or without a host."""
    try:
        parts = urlsplit(str(place))
        whole = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:  # a port that is no number, a bracket that does not close
        whole = False
    scheme = str(place).partition("://")[0].lower()
    if scheme not in SCHEMES or not whole:
        schemes = ", ".join(f"{name}://" for name in SCHEMES)
        raise FaceletError(
            f"{shown(place)} is not the address of a stream; expected {schemes} and a host, as rtsp://camera/1"
        )


def shown(place: str | Path) -> str:
    """The place as it may be printed: of a URL, only scheme, host, port, and a path of plain names."""
    text = str(place)
    if not is_address(text):
        return text
    scheme, _, rest = text.partition("://")
    rest = rest.rpartition("@")[2]  # a password may hold any sign, even those that end a host or a path
    host, path = re.fullmatch(r"([^/?#]*)(.*)", rest, re.DOTALL).groups()  # type: ignore[union-attr]
    plain = re.match(r"(/[\w.~-]+)*/?(?=$|[?#])", path)
    kept = plain.group() if plain else "/"
    return f"{scheme}://{host}{kept}" + "..." * (kept != path)


def _is_file(place: str | Path) -> bool:
    name = re.split(r"[?#]", str(place), maxsplit=1)[0] if is_address(place) else str(place)
    return Path(name).suffix.lower() in SUFFIXES
