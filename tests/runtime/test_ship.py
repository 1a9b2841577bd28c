"""reproduce/ship.py: what it enters, and what it refuses."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import onnx
import pytest

from facelet.errors import FaceletError
from facelet.models import bundled, model_file
from facelet.runtime.model import Model


def test_a_model_and_its_twin(ship, shelf, make_model, make_info, make_identity, tmp_path):
    ship(make_identity(tmp_path / "id.onnx"), "identity", "who it is")
    ship(make_model(tmp_path / "a.onnx", make_info(precision="int8", target="portable", recipe="T-SNet")), "expression")
    assert bundled.models()[0].twin == ""
    ship(make_model(tmp_path / "b.onnx", make_info(recipe="T-SNet")), "expression-fp32")
    one, twin, identity = bundled.models()
    assert [model.name for model in (one, twin, identity)] == ["expression", "expression-fp32", "identity"]
    assert (one.twin, twin.twin, identity.twin) == ("expression-fp32", "", "")
    assert (one.description, twin.description, identity.description) == ("T-SNet, int8", "T-SNet, fp32", "who it is")
    for model, file in ((one, "a"), (twin, "b"), (identity, "id")):
        data = (tmp_path / f"{file}.onnx").read_bytes()
        assert (model.bytes, model.sha256) == (len(data), hashlib.sha256(data).hexdigest())
        assert bundled.path_of(model.name).read_bytes() == data
    assert len(list(shelf.iterdir())) == 4


def test_the_same_name_again_replaces_it_and_keeps_its_description(ship, make_model, make_info, tmp_path):
    ship(make_model(tmp_path / "a.onnx"), "expression", "the first")
    ship(make_model(tmp_path / "b.onnx", make_info(temperature=2.0)), "expression")
    (model,) = bundled.models()
    assert model.description == "the first"
    assert bundled.found("expression").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_a_copy_to_write_a_card_about(ship, make_model, make_info, tmp_path):
    """Its name inside, no card of another file, and the same answers."""
    source = make_model(tmp_path / "student.onnx", make_info(name="student", card="old", recipe="T-SNet"))
    ship.named(source, "expression-tiny", tmp_path / "expression-tiny.onnx")
    before, after = (model_file.read(tmp_path / f"{name}.onnx") for name in ("student", "expression-tiny"))
    assert after == before.model_copy(update={"name": "expression-tiny", "card": ""})
    ship.named(source, "expression", tmp_path / "expression.onnx", smallest=20)
    assert model_file.read(tmp_path / "expression.onnx").measured_from == 20
    faces = np.random.default_rng(0).integers(0, 256, (3, 24, 24, 3), np.uint8)
    answers = [Model.load(tmp_path / f"{name}.onnx").logits(faces) for name in ("student", "expression-tiny")]
    assert np.array_equal(*answers)


@pytest.mark.parametrize(
    "name", ["identity", "Expression", "expression_tiny", "expression-", "../expression", "tiny", ""]
)
def test_names_that_do_not_fit(ship, tiny, shelf, name):
    with pytest.raises(FaceletError, match=r"is a model for expression; its name is expression or expression-WORD"):
        ship(tiny, name)
    assert json.loads((shelf / "models.json").read_text()) == []


def test_files_that_do_not_fit(ship, tiny, shelf, make_model, make_info, tmp_path):
    int8 = make_model(tmp_path / "int8.onnx", make_info(precision="int8"))
    with pytest.raises(FaceletError, match="is for fp32, not 'expression-fp32'"):
        ship(int8, "expression-fp32")
    large = make_model(tmp_path / "large.onnx", make_info(licence="x" * 5_000_000))
    with pytest.raises(FaceletError, match="a model in the package has at most 5,000,000"):
        ship(large, "expression")
    for target in ("", "vnni"):
        narrow = make_model(tmp_path / "narrow.onnx", make_info(precision="int8", target=target))
        with pytest.raises(FaceletError, match="is not portable; a model in the package"):
            ship(narrow, "expression")
    bare = make_model(tmp_path / "bare.onnx")
    model_file.write(onnx.load(bare), make_info(), bare)
    with pytest.raises(FaceletError, match="has no self-test; a model in the package must have one"):
        ship(bare, "expression")
    ship.named(bare, "expression-fp32", tmp_path / "whole.onnx")
    assert ship(tmp_path / "whole.onnx", "expression-fp32").name == "expression-fp32"
    (shelf / "expression-fp32.onnx").unlink()
    (tmp_path / "text.onnx").write_text("text")
    with pytest.raises(FaceletError, match="is not a complete ONNX file"):
        ship(tmp_path / "text.onnx", "expression")
    untrue = make_model(tmp_path / "untrue.onnx", make_info(labels=("a", "b", "c")), weights=np.ones((1, 2)))
    with pytest.raises(FaceletError, match="its metadata"):
        ship(untrue, "expression")
    with pytest.raises(FaceletError, match="no model file"):
        ship(tmp_path / "gone.onnx", "expression")
    with pytest.raises(FaceletError, match="more than one line"):
        ship(tiny, "expression", "one\ntwo")
    assert [path.name for path in shelf.iterdir()] == ["models.json"]
