from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from facelet.models.onnx_wire import fields, has_external_data, metadata


def model(tensor=None, wrap=None):
    tensor = tensor or numpy_helper.from_array(np.ones(3, np.float32), "w")
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [3]) for name in "xy")
    if wrap == "constant":
        nodes, kept = (
            [helper.make_node("Constant", [], ["w"], value=tensor), helper.make_node("Add", ["x", "w"], ["y"])],
            [],
        )
    elif wrap == "branch":
        inner = helper.make_graph([helper.make_node("Identity", ["w"], ["z"])], "inner", [], [y], [tensor])
        nodes, kept = [helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)], []
    else:
        nodes, kept = [helper.make_node("Add", ["x", "w"], ["y"])], [tensor]
    made = helper.make_model(helper.make_graph(nodes, "g", [x], [y], kept))
    helper.set_model_props(made, {"facelet": "a" * 300, "käse": "ü"})
    return made


def outside():
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[3], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="/etc/passwd")
    return tensor


def test_metadata_are_those_that_onnx_reads():
    made = model()
    assert metadata(made.SerializeToString()) == {entry.key: entry.value for entry in made.metadata_props}


@pytest.mark.parametrize("wrap", [None, "constant", "branch"])
def test_external_data_are_found_wherever_they_are(wrap):
    assert not has_external_data(model(wrap=wrap).SerializeToString())
    assert has_external_data(model(outside(), wrap).SerializeToString())


def test_external_data_in_a_function_are_found():
    made = model()
    node = helper.make_node("Constant", [], ["w"], value=outside())
    made.functions.append(helper.make_function("d", "f", [], ["w"], [node], [helper.make_opsetid("", 18)]))
    assert has_external_data(made.SerializeToString())


@pytest.mark.parametrize("data", [b"\x0a", b"\x0a\xff\xff\xff\xff\x0f", b"\x80" * 11, b"\x0b\x00", b"hello, I am text"])
def test_what_is_no_message_is_refused(data):
    with pytest.raises(ValueError):
        metadata(data)


@pytest.mark.parametrize("cut", [1, 40, 200])
def test_a_file_cut_short_is_refused(cut):
    with pytest.raises(ValueError, match=r"^cut short or damaged$"):
        metadata(model().SerializeToString()[:-cut])


def test_text_that_is_none_is_damage():
    data = model().SerializeToString().replace("käse".encode(), b"k\xff\xffse")
    with pytest.raises(ValueError, match=r"^cut short or damaged$"):
        metadata(data)


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_any_bytes_end_in_an_answer_or_a_value_error(data):
    for read in (metadata, has_external_data, lambda some: list(fields(memoryview(some)))):
        try:
            read(data)
        except ValueError:
            continue


def test_numbers_are_read_as_protobuf_writes_them():
    made = onnx.ModelProto(ir_version=9, model_version=2**40 + 5)
    assert dict(fields(memoryview(made.SerializeToString()))) == {1: 9, 5: 2**40 + 5}
