from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

import facelet.nets  # noqa: F401
from facelet.errors import FaceletError
from facelet.measure.efficiency.cost import Cost, file_cost, net_cost
from facelet.nets.spec import NetSpec, resolve
from facelet.shrink.export import to_onnx
from facelet.shrink.int8.qdq import Calibrated, QuantizationConfig

SPEC = NetSpec("by-hand", classes=5, size=8, channels=1)


class ByHand(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3, 2, 1)  # 4x4 out: 16 places x 4 x 9
        self.grouped = nn.Conv2d(4, 8, 3, 1, 1, groups=2, bias=False)  # 16 places x 8 x 2 x 9
        self.up = nn.ConvTranspose2d(8, 2, 2, 2)  # 16 places in x 8 x 2 x 4
        self.fc = nn.Linear(2, 5)  # 2 x 5

    def forward(self, images):
        return self.fc(torch.relu(self.up(self.grouped(self.first(images)))).mean((2, 3)))


MACS = 16 * 4 * 9 + 16 * 8 * 2 * 9 + 16 * 8 * 2 * 4 + 2 * 5
PARAMS = (4 * 9 + 4) + 8 * 2 * 9 + (8 * 2 * 4 + 2) + (2 * 5 + 5)


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory):
    path = tmp_path_factory.mktemp("cost") / "by-hand.onnx"
    onnx.save(to_onnx(ByHand().eval(), SPEC), path)
    return path


def test_a_net_counted_by_hand(by_hand):
    net = ByHand().train()
    assert net_cost(net, SPEC) == Cost(PARAMS, MACS, 0)
    assert net.training
    assert file_cost(by_hand) == Cost(PARAMS, MACS, by_hand.stat().st_size)


def test_the_same_file_in_int8_costs_the_same_macs(by_hand, tmp_path):
    graph = Calibrated(by_hand, np.random.default_rng(0).standard_normal((20, 1, 8, 8)).astype(np.float32))
    onnx.save(graph.quantized(QuantizationConfig("u8s8")), tmp_path / "int8.onnx")
    found = file_cost(tmp_path / "int8.onnx")
    assert found.macs == MACS
    # quantizing a Gemm or ConvTranspose may add a bias, never a weight
    assert PARAMS <= found.params <= PARAMS + 8


@pytest.mark.slow
def test_torch_and_the_file_agree_on_a_real_net(tmp_path):
    spec = resolve("resnet18", classes=7, size=32, channels=1)
    net = spec.build().eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.bias)  # as training leaves it; a shift of zero is not written
    onnx.save(to_onnx(net, spec), tmp_path / "net.onnx")
    counted, written = net_cost(net, spec), file_cost(tmp_path / "net.onnx")
    assert counted.macs == written.macs
    norms = sum(module.num_features for module in net.modules() if isinstance(module, nn.BatchNorm2d))
    assert counted.params - written.params == norms  # scale and shift became one bias
    assert net_cost(spec.skeleton(), spec) == counted


def test_qlinear_operators_count_as_what_they_are(tmp_path):
    def constant(name, value, kind):
        return numpy_helper.from_array(np.array(value, kind), name)

    nodes = [
        helper.make_node("QLinearConv", ["x", "s", "z", "w", "s", "z8", "s", "z"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Flatten", ["c"], ["f"]),
        helper.make_node("QLinearMatMul", ["f", "s", "z", "m", "s", "z8", "s", "z"], ["y"]),
    ]
    weights = [
        constant("w", np.ones((2, 1, 3, 3)), np.int8),
        constant("m", np.ones((32, 3)), np.int8),
        constant("s", 1, np.float32),
        constant("z", 0, np.uint8),
        constant("z8", 0, np.int8),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.UINT8, ["batch", 1, 4, 4])
    y = helper.make_tensor_value_info("y", TensorProto.UINT8, ["batch", 3])
    model = helper.make_model(helper.make_graph(nodes, "g", [x], [y], weights))
    onnx.save(model, tmp_path / "q.onnx")
    found = file_cost(tmp_path / "q.onnx")
    assert (found.params, found.macs) == (18 + 96, 16 * 2 * 9 + 32 * 3)


def test_what_is_no_onnx_file_is_named(tmp_path):
    (tmp_path / "text.onnx").write_text("hello")
    for name in ("text.onnx", "none.onnx"):
        with pytest.raises(FaceletError, match=f"cannot count the cost of .*{name}"):
            file_cost(tmp_path / name)


def test_an_error_without_words_is_told_by_its_kind(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise MemoryError

    monkeypatch.setattr(onnx, "load", fail)
    with pytest.raises(FaceletError, match="MemoryError"):
        file_cost(tmp_path / "any.onnx")
