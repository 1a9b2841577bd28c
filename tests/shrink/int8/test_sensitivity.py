from __future__ import annotations

import onnx
import pytest
import tiny

from facelet.models import model_file
from facelet.runtime.model import prepared
from facelet.shrink.int8.qdq import Calibrated, QuantizationConfig
from facelet.shrink.int8.sensitivity import fewest, rank


def test_the_layer_with_the_wildest_weights_ranks_first(fp32, tmp_path):
    """A per-tensor outlier in one filter of one layer costs nothing per channel; one inside a filter does."""
    model = onnx.load(fp32)
    tensor = next(t for t in model.graph.initializer if list(t.dims) == [8, 8, 1, 1])
    weight = onnx.numpy_helper.to_array(tensor).copy()
    weight[:, 0] *= 300
    tensor.CopyFrom(onnx.numpy_helper.from_array(weight, tensor.name))
    model_file.write(model, model_file.read(fp32), tmp_path / "wild.onnx")
    inputs = prepared(tiny.faces().split("train").images, model_file.read(fp32).input)
    graph = Calibrated(tmp_path / "wild.onnx", inputs)
    ranking = rank(graph, QuantizationConfig("u8s8"), inputs[:32])
    assert sorted(ranking) == sorted(graph.computing)
    wild = next(node.name for node in graph._model.graph.node if tensor.name in node.input)
    # the layer itself, or the one after, whose input it stretches
    assert wild in ranking[:2]


@pytest.mark.parametrize("needed", range(1, 10))
def test_fewest_finds_the_shortest_head(needed):
    assert fewest(list("abcdefghi"), lambda some: len(some) >= needed) == tuple("abcdefghi"[:needed])


def test_fewest_says_when_nothing_helps():
    tried = []
    assert fewest(list("abc"), lambda some: bool(tried.append(some))) is None
    assert tried[-1] == ("a", "b", "c")
