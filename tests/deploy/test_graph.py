from __future__ import annotations

import graphs
import numpy as np
import pytest

from facelet.deploy.graph import read_graph, require_float
from facelet.errors import FaceletError


def written(tmp_path, case, **given):
    path = tmp_path / "case.onnx"
    path.write_bytes(graphs.proto(*case, **given).SerializeToString())
    return path


def test_shapes_are_those_of_one_face_and_computed_shapes_are_folded(tmp_path):
    graph = read_graph(written(tmp_path, graphs.CASES["shape of the input"]))
    assert [operation.op for operation in graph.operations] == ["Reshape"]
    assert graph.shapes[graph.input] == graphs.SHAPE
    assert graph.shapes[graph.output] == (1, 144)
    np.testing.assert_array_equal(graph.constants[graph.operations[0].inputs[1]], [1, 144])


def test_readers_of_a_value(tmp_path):
    graph = read_graph(written(tmp_path, graphs.CASES["squeeze and excite"]))
    assert graph.only_reader(graph.input) is None  # the pool and the product read it
    assert graph.only_reader("p").op == "Conv"
    assert graph.only_reader(graph.output) is None


def test_branches_are_named(tmp_path):
    from onnx import TensorProto, helper

    model = graphs.proto(*graphs.CASES["relu"])
    value = helper.make_tensor_value_info("z", TensorProto.FLOAT, None)
    branch = helper.make_graph([helper.make_node("Relu", ["x"], ["z"])], "b", [], [value])
    model.graph.node[0].CopyFrom(helper.make_node("If", ["c"], ["m"], "choice", then_branch=branch, else_branch=branch))
    model.graph.initializer.append(helper.make_tensor("c", TensorProto.BOOL, (), [True]))
    (tmp_path / "if.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(FaceletError, match=r"node 'choice' of type If has branches"):
        read_graph(tmp_path / "if.onnx")


def test_other_files_are_errors(tmp_path):
    (tmp_path / "no.onnx").write_bytes(b"hello")
    with pytest.raises(FaceletError, match="cannot be read as a graph"):
        read_graph(tmp_path / "no.onnx")


def test_int8_is_refused_with_its_first_node(int8, fp32):
    require_float("ncnn", fp32)
    with pytest.raises(FaceletError, match=r"ncnn cannot represent node '\S+' of type \w*antizeLinear.*fp32 model"):
        require_float("ncnn", int8)
