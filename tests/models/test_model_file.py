from __future__ import annotations

import os

import numpy as np
import onnx
import pytest
from onnx import helper
from tiny_onnx import INFO, model

from facelet.errors import FaceletError
from facelet.models import model_file
from facelet.models import session as model_session


@pytest.fixture
def path(tmp_path):
    model_file.write(model(), INFO, tmp_path / "m.onnx")
    return tmp_path / "m.onnx"


def refused(path, *words):
    for use in (model_file.read, model_session.open_session):
        with pytest.raises(FaceletError) as caught:
            use(path)
        for word in (path.name, *words):
            assert word in str(caught.value)


def test_what_is_written_is_read(path):
    assert model_file.read(path) == INFO
    session = model_session.open_session(path, threads=1)
    assert session.run(None, {"images": np.ones((3, 1, 8, 8), np.float32)})[0].tolist() == [[64, 64]] * 3
    assert model_file.parse(session.get_modelmeta().custom_metadata_map, "m") == INFO


def test_writing_again_replaces_our_metadata_and_keeps_other(tmp_path):
    made = model()
    helper.set_model_props(made, {"author": "me"})
    for temperature in (1.0, 2.0):
        model_file.write(made, INFO.model_copy(update={"temperature": temperature}), tmp_path / "m.onnx")
    found = {entry.key: entry.value for entry in onnx.load(tmp_path / "m.onnx").metadata_props}
    assert found.keys() == {"author", "facelet"}
    assert model_file.read(tmp_path / "m.onnx").temperature == 2


def test_reading_starts_no_session(path, monkeypatch):
    monkeypatch.setattr("onnxruntime.InferenceSession", None)
    model_file.read(path)


def test_a_missing_file_an_empty_one_a_folder_and_text_are_refused(tmp_path):
    refused(tmp_path / "none.onnx", "no model file")
    (tmp_path / "empty.onnx").touch()
    refused(tmp_path / "empty.onnx", "empty")
    refused(tmp_path, "not a file")
    (tmp_path / "text.onnx").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a")
    refused(tmp_path / "text.onnx", "not a complete ONNX file")
    (tmp_path / "zip.onnx").write_bytes(b"PK\x03\x04" + bytes(100))
    refused(tmp_path / "zip.onnx", "not a complete ONNX file")


def test_a_file_cut_short_is_refused(path):
    path.write_bytes(path.read_bytes()[:-30])
    refused(path, f"{path} is not a complete ONNX file (cut short or damaged)")


def test_an_absurd_size_is_refused_unread(tmp_path):
    with (tmp_path / "huge.onnx").open("wb") as file:
        os.truncate(file.fileno(), model_file.MAX_BYTES + 1)
    refused(tmp_path / "huge.onnx", "1,073,741,825 bytes")


def test_an_onnx_of_others_is_refused(tmp_path):
    onnx.save(model(), tmp_path / "other.onnx")
    refused(tmp_path / "other.onnx", "no Facelet metadata", "facelet run", "adopt")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ("{", "the top level"),
        ('{"format": 0}', "format"),
        (INFO.model_dump_json().replace('"size":8', '"size":"large"'), "input.size"),
        (INFO.model_dump_json().replace('"labels"', '"label"'), "labels"),
        (INFO.model_dump_json().replace('["sad","happy"]', "[]"), "no labels"),
        (INFO.model_dump_json().replace('["sad","happy"]', '["sad","sad"]'), "duplicate labels"),
        (INFO.model_dump_json().replace("[0.25]", "[0.0]"), "std"),
        (INFO.model_dump_json().replace("[0.25]", "[0.25,0.25]"), "2 deviations for 1 channels"),
        (INFO.model_dump_json().replace("[0.25]", "[1e-40]"), "std"),
        (INFO.model_dump_json().replace("[0.5]", "[1e999]"), "mean"),
        (INFO.model_dump_json().replace('"temperature":1.0', '"temperature":0'), "temperature"),
        (INFO.model_dump_json().replace('"temperature":1.0', '"temperature":1e-40'), "temperature"),
        (INFO.model_dump_json().replace('"temperature":1.0', '"temperature":NaN'), "temperature"),
    ],
)
def test_damaged_metadata_are_refused_by_name(tmp_path, change, word):
    made = model()
    helper.set_model_props(made, {"facelet": change})
    onnx.save(made, tmp_path / "m.onnx")
    refused(tmp_path / "m.onnx", "metadata is damaged", word)


def test_a_card_has_a_limit(tmp_path):
    kept = INFO.model_copy(update={"card": "# Card\n" + "é" * 1000})
    model_file.write(model(), kept, tmp_path / "m.onnx")
    assert model_file.read(tmp_path / "m.onnx") == kept
    model_file.write(model(), INFO.model_copy(update={"card": "x" * (model_file.MAX_CARD + 1)}), tmp_path / "m.onnx")
    refused(tmp_path / "m.onnx", "damaged at 'card'")


def test_a_later_format_asks_for_an_upgrade_and_a_missing_file_names_the_nearest(tmp_path, path):
    made = model()
    helper.set_model_props(made, {"facelet": INFO.model_dump_json().replace('"format":2', '"new":1,"format":3')})
    onnx.save(made, tmp_path / "later.onnx")
    refused(tmp_path / "later.onnx", "made by a later version of Facelet; upgrade")
    refused(tmp_path / "n.onnx", "did you mean", "m.onnx")
