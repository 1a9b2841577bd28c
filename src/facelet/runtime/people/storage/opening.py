"""Opens the storage of a gallery: SQLite for a file, PostgreSQL for a URL.

>>> storage = open_storage(find("people.db"), create=True)
"""

from __future__ import annotations

from pathlib import Path

from facelet.errors import FaceletError
from facelet.runtime.people.storage.interface import Storage
from facelet.runtime.people.storage.keys import VARIABLE
from facelet.runtime.people.storage.location import DatabaseUrl


def open_storage(location: Path | DatabaseUrl, create: bool = False, key: bytes | None = None) -> Storage:
    """Opens the storage at a location. Raises FaceletError as SqliteStorage and PostgresStorage do."""
    if isinstance(location, DatabaseUrl):
        from facelet.runtime.people.storage.postgres import PostgresStorage

        if key is not None:
            raise FaceletError(
                f"a key is given, but Facelet does not encrypt the gallery {location}: its server searches the vectors; "
                f"encrypt the server's disk, and give no key (--gallery-key FILE or {VARIABLE})"
            )
        return PostgresStorage(location, create)
    from facelet.runtime.people.storage.sqlite import SqliteStorage

    return SqliteStorage(location, create, key)
