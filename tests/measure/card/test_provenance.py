"""Provenance: a model is found in its run by its graph, and its parents by the ledger."""

from __future__ import annotations

import pytest
import yaml

from facelet.errors import FaceletError
from facelet.io import files
from facelet.measure.card.provenance import graph_hash, read_origin
from facelet.measure.ledger.ledger import Ledger


def test_where_a_model_comes_from(run_folder):
    origin = read_origin(run_folder, run_folder / "student-int8.onnx")
    assert (origin.command, origin.facelet, origin.machine) == ("facelet run mine", "0.1.0", "a box")
    assert origin.recipe == "title: Mine\n"
    assert [one.label for one in origin.lineage] == ["teacher", "student", "student-int8"]
    assert [one.name for one in origin.controls] == ["alone"]
    assert origin.seconds == 665
    assert origin.spread.n == 1


def test_folders_of_the_machine_stay_with_the_run(run_folder):
    told = files.read_json(run_folder / "run.json")
    files.write_json(
        run_folder / "run.json", {**told, "command": "facelet run /home/ada/mine.yaml --faces folder:/x/y.zip"}
    )
    (run_folder / "recipe.yaml").write_text("faces: {source: folder, path: /x/y.zip}\n")
    origin = read_origin(run_folder, run_folder / "student-int8.onnx")
    assert origin.command == "facelet run mine.yaml --faces folder:y.zip"
    assert yaml.safe_load(origin.recipe) == {"faces": {"source": "folder", "path": "y.zip"}}


def test_all_teachers_are_told_of(run_folder):
    ledger = Ledger.load(run_folder / "ledger.json")
    ledger.find("student", 0).needs = ["teacher", "alone"]
    ledger.save(run_folder / "ledger.json")
    origin = read_origin(run_folder, run_folder / "student-int8.onnx")
    assert sorted(one.label for one in origin.lineage) == ["alone", "student", "student-int8", "teacher"]


def test_seeds(run_folder):
    origin = read_origin(run_folder, run_folder / "student-s1.onnx")
    assert [one.label for one in origin.lineage] == ["teacher", "student-s1"]
    assert (origin.spread.n, origin.spread.mean) == (2, pytest.approx(0.8))


def test_another_name_and_other_metadata_do_not_hide_it(run_folder, tmp_path, expression):
    copy = expression("copy.onnx", scale=5.0, name="mine", temperature=2.0, card="# A card")
    assert graph_hash(copy) == graph_hash(run_folder / "student-int8.onnx")
    assert read_origin(run_folder, copy).lineage[-1].name == "student-int8"


def test_what_is_not_there_is_refused(run_folder, tmp_path, expression):
    stranger = expression("stranger.onnx", scale=99.0)
    with pytest.raises(FaceletError, match=r"none of the 6 models of .*student-s1.*no graph is the same"):
        read_origin(run_folder, stranger)
    (tmp_path / "text.onnx").write_text("not a model")
    with pytest.raises(FaceletError, match="not a whole ONNX file"):
        read_origin(run_folder, tmp_path / "text.onnx")
    (run_folder / "ledger.json").unlink()
    with pytest.raises(FaceletError, match="facelet run --resume"):
        read_origin(run_folder, stranger)
    (run_folder / "run.json").unlink()
    with pytest.raises(FaceletError, match=r"no run\.json; give the folder"):
        read_origin(run_folder, stranger)
    with pytest.raises(FaceletError, match="did you mean"):
        read_origin(tmp_path / "ru", stranger)
