from __future__ import annotations

import pytest

from facelet.deploy.comparison import ONNX, compare
from facelet.errors import FaceletError


@pytest.mark.slow
def test_models_and_runtimes_take_turns_and_failures_have_reasons(fp32, int8, needs, monkeypatch):
    needs("litert")
    needs("openvino")
    said = []
    found = compare([fp32, int8], [ONNX, "litert", "openvino", "ncnn"], rounds=1, say=said.append)
    assert [(row.model, row.runtime) for row in found.rows[:4]] == [
        ("small", name) for name in (ONNX, "litert", "openvino", "ncnn")
    ]
    timed = [row for row in found.rows if not row.reason]
    assert len({row.runs for row in timed}) == 1
    assert all(row.passed and row.p50_ms > 0 and row.bytes > 0 for row in timed)
    assert all(row.accuracy is None and row.agreement is None for row in found.rows)
    assert "cannot represent node" in found.rows[-1].reason or "needs ncnn" in found.rows[-1].reason
    assert said[0] == "small in onnxruntime"
    assert found.faces == ""


def test_a_missing_runtime_has_a_row(fp32, monkeypatch):
    from facelet.deploy.litert import LiteRT

    monkeypatch.setattr(LiteRT, "modules", {"no_such_module": "no-such-package"})
    row = compare([fp32], ["litert"], rounds=1).rows[0]
    assert "LiteRT needs no-such-package: pip install" in row.reason
    assert row.p50_ms is None


def test_unknown_runtimes_are_errors(fp32):
    with pytest.raises(FaceletError, match="unknown target 'tflit', did you mean"):
        compare([fp32], ["tflit"])


@pytest.mark.real
@pytest.mark.slow
def test_accuracy_on_real_faces(real, needs):
    needs("litert")
    found = compare(["expression-tiny"], [ONNX, "litert"], faces=f"ferplus:{real('ferplus.zip')}", limit=200, rounds=1)
    onnx, litert = found.rows
    assert onnx.n == litert.n == 200
    assert litert.agreement > 0.99
    assert onnx.accuracy > 0.7
    assert onnx.agreement == 1.0
