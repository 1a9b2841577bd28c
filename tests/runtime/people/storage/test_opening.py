"""Which storage a location has."""

from __future__ import annotations

import pytest
from gallery_fixtures import KEY

from facelet.errors import FaceletError
from facelet.runtime.people.storage.location import find
from facelet.runtime.people.storage.opening import open_storage


def test_a_file_is_sqlite(tmp_path):
    storage = open_storage(tmp_path / "g.db", create=True)
    assert type(storage).__name__ == "SqliteStorage"
    storage.close()


def test_a_url_is_postgresql(postgres_url):
    storage = open_storage(postgres_url, create=True)
    assert type(storage).__name__ == "PostgresStorage"
    storage.close()


def test_a_database_has_no_key():
    with pytest.raises(FaceletError, match=r"Facelet does not encrypt the gallery postgresql://u:\*\*\*@h/d") as caught:
        open_storage(find("postgresql://u:s3cret@h/d"), key=KEY)
    assert "s3cret" not in str(caught.value)
