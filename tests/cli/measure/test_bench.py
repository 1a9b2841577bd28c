"""`facelet bench`: its table and its JSON."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from rich.console import Console

from facelet.cli.measure.bench import bench_json, bench_table
from facelet.measure.efficiency.latency import bench
from facelet.measure.efficiency.machine import machine
from facelet.text import megabytes


@pytest.fixture
def paths(make_model, tmp_path):
    return [make_model(tmp_path / f"{name}.onnx") for name in ("one", "other")]


def test_a_table_and_json_say_the_same(paths):
    rows, here = bench(paths, rounds=1), replace(machine(), load=99.0)
    console = Console(width=80, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(bench_table(rows, here))
    text = console.export_text()
    value = json.loads(json.dumps(bench_json(rows, here)))
    for row in value["models"]:
        assert row["name"] in text
        assert f"{row['p50_ms']:.3f}" in text
        assert megabytes(row["bytes"]) in text
    assert value["machine"]["warning"] in " ".join(text.split())
    assert value["models"][0]["faces_per_second"] > 0
    assert "load of other processes: 99.0 cores" in " ".join(text.split())
