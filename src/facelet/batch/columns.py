"""The columns of a table of faces, and the tables of NumPy, pandas and Arrow that rows of plain values become.

>>> table = to_table([{"file": "a.jpg", "face": 1, "score": 0.93}], columns(("dark", "bright")), like={})
>>> table["file"], table["score"], table["p_dark"]
(array(['a.jpg'], dtype=object), array([0.93]), array([nan]))

One row per face. A photo or video without a face, and one that cannot be read, has one row with ``face`` 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

import numpy as np

from facelet.errors import FaceletError

Kind = Literal["text", "integer", "number", "vector"]
Row = Mapping[str, Any]
"""Values by column name; one that is missing is null, or 0 in a column of integers."""

ARROW = {"text": "string", "integer": "int32", "number": "float64"}
SPARK = {"text": "string", "integer": "int", "number": "double", "vector": "array<float>"}
PROBABILITY = "p_"
"""Begins the column of a label, so that no label has the name of another column."""


@dataclass(frozen=True)
class Column:
    """Name and kind of a column; a vector is a list of float32."""

    name: str
    kind: Kind


def columns(labels: Sequence[str], identity: bool = False) -> tuple[Column, ...]:
    """The columns for a model with these labels; ``identity``: with an identity vector."""
    return (
        Column("file", "text"),
        Column("seconds", "number"),
        Column("face", "integer"),
        Column("track", "integer"),
        *(Column(name, "number") for name in ("left", "top", "width", "height", "score", "roll", "quality")),
        *([Column("expression", "text")] if labels else []),
        *(Column(PROBABILITY + label, "number") for label in labels),
        *([Column("identity", "vector")] if identity else []),
        Column("landmarks", "vector"),
        Column("warnings", "text"),
        Column("error", "text"),
    )


def to_table(rows: Sequence[Row], wanted: Sequence[Column], like: Any) -> Any:
    """A table of the same type as ``like``: a dict of arrays, a pandas DataFrame, an Arrow Table or RecordBatch."""
    if isinstance(like, Mapping):
        return {column.name: _array(rows, column) for column in wanted}
    kind = type(like)
    if kind.__module__.split(".")[0] == "pandas":
        import pandas

        # pandas would choose the type of a column by its values, so batches of one data set would differ.
        arrays = {column.name: _array(rows, column) for column in wanted}
        return pandas.DataFrame({name: pandas.Series(values, dtype=values.dtype) for name, values in arrays.items()})
    if kind.__module__.split(".")[0] == "pyarrow":
        table = to_arrow(rows, wanted)
        if kind.__name__ == "Table":
            return table
        import pyarrow

        return pyarrow.RecordBatch.from_arrays([_chunk(column) for column in table.columns], schema=table.schema)
    raise FaceletError(
        f"a batch is a {kind.__name__}; expected a dict of arrays, a pandas DataFrame, or an Arrow Table or RecordBatch"
    )


def to_arrow(rows: Sequence[Row], wanted: Sequence[Column]) -> Any:
    """An Arrow Table with the schema of ``arrow_schema``."""
    import pyarrow

    schema = arrow_schema(wanted)
    values = [[_plain(row.get(column.name), column) for row in rows] for column in wanted]
    return pyarrow.table(
        [pyarrow.array(listed, field.type) for listed, field in zip(values, schema, strict=True)], schema=schema
    )


def batched(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    """The rows in lists of ``size``; the last one may be shorter."""
    coming = iter(rows)
    while chunk := list(islice(coming, size)):
        yield chunk


def concatenated(tables: Sequence[Any]) -> Any:
    """Arrow Tables of the same schema as one."""
    import pyarrow

    return pyarrow.concat_tables(tables)


def arrow_schema(wanted: Sequence[Column]) -> Any:
    """The columns as an Arrow schema."""
    import pyarrow

    types = {kind: pyarrow.type_for_alias(name) for kind, name in ARROW.items()}
    types["vector"] = pyarrow.list_(pyarrow.float32())
    return pyarrow.schema([(column.name, types[column.kind]) for column in wanted])


def spark_schema(wanted: Sequence[Column]) -> str:
    """The columns as Spark's DDL, for ``mapInPandas``."""
    return ", ".join(f"`{column.name.replace('`', '``')}` {SPARK[column.kind]}" for column in wanted)


def read_column(batch: Any, name: str) -> list[Any] | None:
    """The values of a column of a batch, or None if it has no such column."""
    if type(batch).__module__.split(".")[0] == "pyarrow":
        return batch.column(name).to_pylist() if name in batch.schema.names else None
    return list(batch[name]) if name in batch else None


def names_of(batch: Any) -> list[str]:
    """The names of a batch's columns."""
    return list(batch.schema.names if type(batch).__module__.split(".")[0] == "pyarrow" else batch)


def _array(rows: Sequence[Row], column: Column) -> np.ndarray:
    values = [row.get(column.name) for row in rows]
    if column.kind == "integer":
        return np.array([value or 0 for value in values], np.int32)
    if column.kind == "number":
        return np.array([np.nan if value is None else value for value in values], np.float64)
    filled = np.empty(len(values), object)
    for place, value in enumerate(values):
        filled[place] = np.asarray(value, np.float32) if column.kind == "vector" and value is not None else value
    return filled


def _plain(value: Any, column: Column) -> Any:
    if column.kind == "integer":
        return value or 0
    return np.asarray(value, np.float32) if column.kind == "vector" and value is not None else value


def _chunk(column: Any) -> Any:
    """The only chunk of a column."""
    import pyarrow

    return column.chunk(0) if column.num_chunks else pyarrow.array([], column.type)
