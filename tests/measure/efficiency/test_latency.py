from __future__ import annotations

import statistics
import time
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from facelet.errors import FaceletError
from facelet.measure.efficiency import latency
from facelet.measure.efficiency.latency import bench
from facelet.measure.efficiency.machine import machine
from facelet.models import model_file
from facelet.models.model_file import InputInfo, ModelInfo


def written(path, layers):
    """A model file of ``layers`` matrix products."""
    info = ModelInfo(
        name=path.stem, labels=("a", "b"), input=InputInfo(size=32, channels=1, mean=(0,), std=(1,)), params=7, macs=9
    )
    nodes = [helper.make_node("Flatten", ["images"], ["h0"])]
    nodes += [helper.make_node("MatMul", [f"h{n}", "w"], [f"h{n + 1}"]) for n in range(layers)]
    nodes.append(helper.make_node("MatMul", [f"h{layers}", "o"], ["logits"]))
    weights = [
        numpy_helper.from_array(np.eye(1024, dtype=np.float32), "w"),
        numpy_helper.from_array(np.ones((1024, 2), np.float32), "o"),
    ]
    x = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 1, 32, 32])
    y = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])
    model = helper.make_model(
        helper.make_graph(nodes, "g", [x], [y], weights), opset_imports=[helper.make_opsetid("", 18)], ir_version=9
    )
    model_file.write(model, info, path)
    return path


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("latency")
    return [written(folder / "deep.onnx", 12), written(folder / "flat.onnx", 1)]


@pytest.mark.slow
def test_the_deeper_model_takes_longer_and_a_batch_longer_than_a_face(paths):
    rows = bench(paths, batches=(1, 16), rounds=6)
    assert [(row.name, row.batch) for row in rows] == [("deep", 1), ("flat", 1), ("deep", 16), ("flat", 16)]
    assert rows[0].p50_ms > rows[1].p50_ms
    assert rows[2].p50_ms > rows[0].p50_ms
    for row, path in zip(rows, paths * 2, strict=True):
        assert row.n == 6 * latency.BURST
        assert row.p50_ms <= row.p95_ms
        assert (row.params, row.macs, row.bytes) == (7, 9, path.stat().st_size)
        assert row.faces_per_second == pytest.approx(1000 * row.batch / row.p50_ms)


class Sleeper:
    """A session that takes ``seconds`` and writes down its turns."""

    def __init__(self, name, seconds, turns):
        self.name, self.seconds, self.turns = name, seconds, turns

    def run(self, outputs, feed):
        self.turns.append(self.name)
        time.sleep(self.seconds)


def test_models_take_turns_and_the_first_of_a_burst_is_not_counted():
    turns = []
    sessions = [Sleeper("a", 0, turns), Sleeper("b", 0.001, turns)]
    times = latency.interleaved(latency._calls(sessions), [[{}], [{}]], 0, rounds=2)
    burst = latency.BURST + 1
    assert turns == ["a"] * 3 + ["b"] * 3 + ["a"] * burst + ["b"] * burst + ["b"] * burst + ["a"] * burst
    assert [len(some) for some in times] == [2 * latency.BURST] * 2
    assert statistics.median(times[1]) >= max(0.001, statistics.median(times[0]))


@pytest.mark.parametrize(("seconds", "rounds"), [(0.1, 3), (1.0, 12)])
def test_seconds_are_kept_and_three_rounds_are_the_least(monkeypatch, seconds, rounds):
    """By a clock on which a run takes 10 ms."""
    now = [0.0]
    monkeypatch.setattr(latency.time, "perf_counter", lambda: now[0])

    class Ticking:
        def run(self, outputs, feed):
            now[0] += 0.01

    times = latency.interleaved(latency._calls([Ticking()]), [[{}]], seconds, rounds=None)
    assert times == [pytest.approx([0.01] * rounds * latency.BURST)]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"batches": (0,)}, "batches"),
        ({"threads": 0}, "threads"),
        ({"seconds": 0}, "seconds"),
        ({"batches": ()}, "batches"),
    ],
)
def test_wrong_numbers_are_refused(paths, arguments, word):
    with pytest.raises(FaceletError, match=word):
        bench(paths, **arguments)


def test_no_model_or_one_of_others_is_refused(tmp_path):
    with pytest.raises(FaceletError, match="at least one"):
        bench([])
    onnx.save(helper.make_model(helper.make_graph([], "g", [], [])), tmp_path / "other.onnx")
    with pytest.raises(FaceletError, match="no Facelet metadata"):
        bench([tmp_path / "other.onnx"])


def test_the_machine_is_described_and_warned_about():
    here = machine()
    assert here.cores >= 1
    assert here.cpu
    assert here.onnxruntime in str(here)
    assert not replace(here, load=0.0).warning
    assert "other processes use" in replace(here, load=here.cores * 2.0).warning


def test_a_machines_name_does_not_change_with_its_load():
    assert str(replace(machine(), load=0.1)) == str(replace(machine(), load=9.9))


def test_every_model_is_timed_with_the_same_faces_in_turn():
    seen = {"a": [], "b": []}

    class Reader:
        def __init__(self, name):
            self.name = name

        def run(self, outputs, feed):
            seen[self.name].append(feed["images"])

    feeds = [{"images": number} for number in range(12)]
    latency.interleaved(latency._calls([Reader("a"), Reader("b")]), [feeds, feeds], 0, rounds=2)
    burst = latency.BURST
    timed = {
        name: got[4 : 4 + burst] + got[5 + burst :] for name, got in seen.items()
    }  # behind three warm ups, and one a burst
    assert timed["a"] == timed["b"] == [number % 12 for number in range(2 * burst)]


def test_faces_make_batches_that_are_all_full():
    info = ModelInfo(name="x", labels=("a", "b"), input=InputInfo(size=8, channels=1, mean=(0,), std=(1,)))
    faces = np.arange(5, dtype=np.uint8)[:, None, None, None].repeat(8, 1).repeat(8, 2)
    feeds = latency._feeds(info, 2, faces)
    assert [np.round(feed["images"][:, 0, 0, 0] * 255).tolist() for feed in feeds] == [[0, 1], [2, 3], [4, 0]]
