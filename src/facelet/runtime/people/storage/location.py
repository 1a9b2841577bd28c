"""Location of a gallery: a file, or the URL of a PostgreSQL database, whose password is never shown.

>>> print(find("postgresql://anna:secret@db.example/faces"))
postgresql://anna:***@db.example/faces
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from facelet.errors import FaceletError

VARIABLE = "FACELET_GALLERY"
SCHEMES = ("postgresql", "postgres")
SECRETS = ("password", "sslpassword")
"""Parameters of a URL that are not shown."""
HIDDEN = "***"


@dataclass(frozen=True, repr=False)
class DatabaseUrl:
    """URL of a PostgreSQL database. ``str`` shows it with *** instead of the password.

    Attributes:
        secret: the URL with its password, for the driver only.

    Raises FaceletError, which does not quote it, for a URL whose password could be taken for another part.
    """

    secret: str

    def __post_init__(self) -> None:
        before, at, after = self.secret.partition("@")
        unclear = "@" in after or (at and set("/?#") & set(before.partition("://")[2]))
        if unclear or "#" in self.secret or not self.secret.isprintable() or " " in self.secret:
            raise unreadable()
        try:
            urlsplit(self.secret)
        except ValueError:
            raise unreadable() from None

    def __str__(self) -> str:
        parts = urlsplit(self.secret)
        user, at, hosts = parts.netloc.rpartition("@")
        name, colon, password = user.partition(":")
        netloc = f"{name}{colon}{HIDDEN if password else ''}{at}{hosts}"
        query = "&".join(_without_secret(pair) for pair in parts.query.split("&"))
        return f"{parts.scheme}://{netloc}{parts.path}{'?' * bool(query)}{query}"

    __repr__ = __str__

    def scrubbed(self, text: str) -> str:
        """``text`` in one line, with *** instead of each password of the URL."""
        parts = urlsplit(self.secret)
        values = [parts.netloc.rpartition("@")[0].partition(":")[2]]
        values += [pair.partition("=")[2] for pair in parts.query.split("&") if _is_secret(pair)]
        for value in filter(None, values):
            text = text.replace(value, HIDDEN).replace(unquote(value), HIDDEN)
        return " ".join(text.split())


def find(place: str | Path | DatabaseUrl = "") -> Path | DatabaseUrl:
    """Returns ``place``, else $FACELET_GALLERY, else gallery.db in the user's data folder.

    Raises FaceletError for a URL that cannot be read, and for another scheme than postgresql.
    """
    named = place or os.environ.get(VARIABLE, "") or usual()
    if str(named).startswith(("postgresql:/", "postgres:/")) and "://" not in str(named):  # as pathlib writes a URL
        raise unreadable()
    if not isinstance(named, str):
        return named
    scheme, separator, _ = named.partition("://")
    if separator and scheme not in SCHEMES:
        raise FaceletError(f"the gallery's URL starts with {scheme[:20]!r}; expected postgresql://, or a file")
    return DatabaseUrl(named) if separator else Path(named)


def usual() -> Path:
    """gallery.db in the user's data folder."""
    from platformdirs import user_data_path

    return user_data_path("facelet") / "gallery.db"


def shown(place: str) -> str:
    """A location as text without a password, also if it cannot be read."""
    try:
        return str(find(place))
    except FaceletError:
        return f"postgresql://{HIDDEN}"


def unreadable() -> FaceletError:
    """The error for a URL that cannot be read; it does not quote it, because it may contain a password."""
    return FaceletError(
        "cannot read the gallery's URL (not shown: it may contain a password); expected "
        "postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with special characters of the password as %XX"
    )


def _is_secret(pair: str) -> bool:
    return unquote(pair.partition("=")[0]).lower() in SECRETS


def _without_secret(pair: str) -> str:
    return f"{pair.partition('=')[0]}={HIDDEN}" if _is_secret(pair) else pair
