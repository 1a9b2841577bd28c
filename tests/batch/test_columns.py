"""Rows become tables of the same type as the batch, with nulls where a value is missing."""

from __future__ import annotations

import numpy as np
import pytest

from facelet.batch.columns import batched, columns, names_of, read_column, spark_schema, to_arrow, to_table
from facelet.errors import FaceletError

WANTED = columns(("dark", "bright"), identity=True)
ROWS = [
    {"file": "a.jpg", "face": 1, "score": 0.5, "expression": "dark", "p_dark": 0.9, "identity": np.ones(3, np.float32)},
    {"file": "b.jpg", "error": "torn"},
]


def test_numpy():
    table = to_table(ROWS, WANTED, {})
    assert list(table) == [column.name for column in WANTED]
    assert table["file"].tolist() == ["a.jpg", "b.jpg"]
    assert table["face"].dtype == np.int32
    assert table["face"].tolist() == [1, 0]
    assert np.isnan(table["score"][1])
    assert table["error"].tolist() == [None, "torn"]
    assert table["identity"][0].tolist() == [1, 1, 1]
    assert table["identity"][1] is None


def test_arrow():
    pyarrow = pytest.importorskip("pyarrow")
    table = to_arrow(ROWS, WANTED)
    assert table.schema.field("identity").type == pyarrow.list_(pyarrow.float32())
    assert table["score"].to_pylist() == [0.5, None]
    assert table["identity"].to_pylist() == [[1, 1, 1], None]
    batch = to_table(ROWS, WANTED, pyarrow.RecordBatch.from_pydict({"x": [1]}))
    assert isinstance(batch, pyarrow.RecordBatch)
    assert batch.to_pylist() == table.to_pylist()
    assert to_table([], WANTED, batch).num_rows == 0


def test_pandas():
    pandas = pytest.importorskip("pandas")
    table = to_table(ROWS, WANTED, pandas.DataFrame())
    assert table["file"].tolist() == ["a.jpg", "b.jpg"]
    assert table["score"].isna().tolist() == [False, True]
    assert table["error"].tolist() == [None, "torn"]
    assert to_table([], WANTED, table).dtypes.equals(table.dtypes), "batches without text have the same types"


def test_another_type_is_an_error():
    with pytest.raises(FaceletError, match="a batch is a list; expected a dict of arrays"):
        to_table(ROWS, WANTED, [])


def test_sparks_schema_quotes_labels():
    schema = spark_schema(columns(("odd `label`",)))
    assert "`file` string" in schema
    assert "`face` int" in schema
    assert "`p_odd ``label``` double" in schema
    assert "`landmarks` array<float>" in schema


def test_a_column_is_read_from_every_type():
    pyarrow, pandas = pytest.importorskip("pyarrow"), pytest.importorskip("pandas")
    values = {"path": ["a", "b"], "bytes": [b"1", b"2"]}
    for batch in (values, pandas.DataFrame(values), pyarrow.table(values), pyarrow.RecordBatch.from_pydict(values)):
        assert read_column(batch, "bytes") == [b"1", b"2"]
        assert read_column(batch, "none") is None
        assert names_of(batch) == ["path", "bytes"]


def test_an_identity_model_has_no_expression():
    names = [column.name for column in columns((), identity=True)]
    assert "identity" in names
    assert "expression" not in names


def test_batched():
    assert list(batched(iter([{"a": n} for n in range(5)]), 2)) == [
        [{"a": 0}, {"a": 1}],
        [{"a": 2}, {"a": 3}],
        [{"a": 4}],
    ]
    assert list(batched([], 2)) == []
