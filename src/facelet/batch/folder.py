"""The folder of Parquet parts that a job fills, on this machine or in an object store.

>>> folder = OutputFolder("s3://bucket/faces")
>>> folder.write("part-5d41.parquet", table)

A part appears whole under its name or not at all: it is written under a hidden name, which Parquet's readers skip, and renamed.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facelet.batch.sources import filesystem, is_remote, without_secrets
from facelet.errors import FaceletError
from facelet.io.files import writing

ABOUT = "_facelet.json"
"""What the parts were made of; Parquet's readers skip names that begin with an underscore."""


@dataclass(frozen=True)
class OutputFolder:
    """A folder by path or by a place with a scheme; a relative path is made absolute, for workers in other folders."""

    place: str

    def __post_init__(self) -> None:
        if not is_remote(self.place):
            object.__setattr__(self, "place", str(Path(self.place).expanduser().absolute()))

    def __str__(self) -> str:
        return without_secrets(self.place)

    def names(self) -> list[str]:
        """Names of the files in the folder; empty when it does not exist. Raises FaceletError when it cannot be read."""
        if not is_remote(self.place):
            path = Path(self.place)
            if path.exists() and not path.is_dir():
                raise FaceletError(f"--out {self} is a file; expected a folder")
            try:
                return sorted(file.name for file in path.iterdir()) if path.exists() else []
            except OSError as error:
                raise self._error("read", error) from None
        from pyarrow.fs import FileSelector

        store, path_there = filesystem(self.place)
        try:
            return sorted(
                info.base_name for info in store.get_file_info(FileSelector(path_there, allow_not_found=True))
            )
        except Exception as error:  # stores raise classes of their own
            raise self._error("read", error) from None

    def write(self, name: str, table: Any) -> None:
        """Writes an Arrow Table as a Parquet file. Raises FaceletError when it cannot be written."""
        import pyarrow
        from pyarrow import parquet

        sink = pyarrow.BufferOutputStream()
        parquet.write_table(table, sink, compression="zstd")
        self._put(name, sink.getvalue().to_pybytes())

    def remove(self, name: str) -> None:
        """Deletes a file, if it is there."""
        try:
            if is_remote(self.place):
                store, path = filesystem(self.place)
                store.delete_file(f"{path}/{name}")
            else:
                Path(self.place, name).unlink()
        except FileNotFoundError:
            pass
        except Exception as error:
            raise self._error("write", error) from None

    def about(self) -> dict[str, Any] | None:
        """What ``write_about`` stored, or None. Raises FaceletError when it is damaged."""
        if ABOUT not in self.names():
            return None
        try:
            if is_remote(self.place):
                store, path = filesystem(self.place)
                with store.open_input_stream(f"{path}/{ABOUT}") as stream:
                    value = json.loads(bytes(stream.read()))
            else:
                value = json.loads(Path(self.place, ABOUT).read_text(encoding="utf-8"))
        except Exception as error:
            raise self._error("read", error) from None
        if not isinstance(value, dict):
            raise FaceletError(f"{self}/{ABOUT} is damaged; delete the folder, or give another --out")
        return value

    def write_about(self, value: dict[str, Any]) -> None:
        """Stores what the parts are made of."""
        self._put(ABOUT, (json.dumps(value, indent=1) + "\n").encode())

    def _put(self, name: str, data: bytes) -> None:
        if not is_remote(self.place):
            with writing(Path(self.place, name)) as beside:
                beside.write_bytes(data)
            return
        store, path = filesystem(self.place)
        hidden = f"{path}/.{secrets.token_hex(8)}.parquet"  # a name that the next run deletes
        try:
            store.create_dir(path, recursive=True)
            with store.open_output_stream(hidden) as stream:
                stream.write(data)
            store.move(hidden, f"{path}/{name}")
        except Exception as error:
            raise self._error("write", error) from None

    def _error(self, act: str, error: Exception) -> FaceletError:
        reason = (str(getattr(error, "strerror", None) or error).splitlines() or [""])[0][:200]
        return FaceletError(f"cannot {act} {self}: {reason or type(error).__name__}")
