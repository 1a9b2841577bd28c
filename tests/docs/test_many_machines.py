"""The programs on the page about many machines run as they stand, on real photos; each is skipped without its engine."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "many-machines.md"
PHOTOS = 12


def program(engine: str) -> str:
    """The block of code that imports the engine."""
    blocks = re.findall(r"```py\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    return next(block for block in blocks if re.search(rf"^(import|from) {re.escape(engine)}", block, re.M))


@pytest.fixture
def photos(tmp_path, monkeypatch, photos_folder, yunet) -> Path:
    """The working directory, with photos/: some with faces, and one that is broken."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FACELET_YUNET", str(yunet))
    monkeypatch.delenv("FACELET_MODEL", raising=False)
    (tmp_path / "photos").mkdir()
    for file in sorted((photos_folder / "faces").glob("*.jpg"))[:PHOTOS]:
        shutil.copyfile(file, tmp_path / "photos" / file.name)
    (tmp_path / "photos" / "torn.jpg").write_bytes(b"torn")
    return tmp_path


def check(folder: Path, name_of) -> None:
    """The table in faces/ has the faces that one process finds."""
    from pyarrow import parquet

    from facelet import Analyzer
    from facelet.runtime.media.photos import find
    from facelet.runtime.media.predictions import predictions

    rows: dict[str, list[dict]] = {}
    for row in parquet.read_table(folder / "faces").to_pylist():
        rows.setdefault(name_of(row["file"]), []).append(row)
    analyzer = Analyzer("expression")
    for result in predictions(analyzer, find([folder / "photos"])):
        found = rows.pop(result.file.name)
        assert [row["expression"] for row in found if row["face"]] == [face.expression for face in result.faces]
        for row, face in zip((row for row in found if row["face"]), result.faces, strict=True):
            assert {label: round(row[f"p_{label}"], 5) for label in analyzer.model.labels} == face.to_json()[
                "probabilities"
            ]
        assert bool(found[0]["error"]) == bool(result.error)
    assert not rows


@pytest.mark.slow
def test_dask(photos):
    pytest.importorskip("dask.dataframe", reason="Dask is not installed: pip install 'dask[dataframe]'")
    exec(compile(program("dask"), str(PAGE), "exec"), {})
    check(photos, lambda name: Path(name).name)


@pytest.mark.slow
def test_spark(photos):
    pytest.importorskip("pyspark", reason="Spark is not installed: pip install pyspark; it needs Java")
    names: dict = {}
    exec(compile(program("pyspark"), str(PAGE), "exec"), names)
    names["spark"].stop()
    check(photos, lambda name: name.rpartition("/")[2])


@pytest.mark.slow
def test_ray_data(photos):
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install '.[ray]'")
    ray.init(num_cpus=2, log_to_driver=False, include_dashboard=False, object_store_memory=100 * 2**20)
    try:
        exec(compile(program("ray"), str(PAGE), "exec"), {})
    finally:
        ray.shutdown()
    check(photos, lambda name: Path(name).name)
