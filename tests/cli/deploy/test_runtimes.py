from __future__ import annotations

import json
from dataclasses import replace

from rich.console import Console

from facelet.cli.deploy.runtimes import runtimes_json, runtimes_table
from facelet.deploy.comparison import Comparison, RuntimeRow
from facelet.measure.efficiency.machine import machine

ROWS = (
    RuntimeRow(
        "expression",
        "int8",
        "litert",
        "ai-edge-litert 2.3.0",
        1_000_000,
        True,
        0.05,
        200,
        0.995,
        0.88,
        0.83,
        0.92,
        0.5,
        0.6,
        96,
    ),
    RuntimeRow("expression", "int8", "ncnn", reason="ncnn cannot represent node 'q' of type QuantizeLinear"),
)


def test_the_table_and_json_have_all_rows():
    here = replace(machine(0), load=99.0)
    console = Console(width=250, record=True)
    console.print(runtimes_table(Comparison(ROWS, "200 faces"), here, 1))
    text = console.export_text()
    for word in (
        "200 faces; 1 thread",
        "expression (int8)",
        "ai-edge-litert 2.3.0",
        "1.00 MB",
        "88.0 % (83.0-92.0)",
        "99.50 %",
    ):
        assert word in text
    assert "passed 0.05" in text
    assert "ncnn cannot represent node 'q'" in text
    assert "99.0 cores" in text
    value = json.loads(json.dumps(runtimes_json(Comparison(ROWS, "200 faces"), here)))
    assert [row["p50_ms"] for row in value["rows"]] == [0.5, None]
