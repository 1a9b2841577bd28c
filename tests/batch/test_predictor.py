"""The callable's contract: batches of every type, errors in their column, a pickle that needs no files, one model per process."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest

import facelet
from facelet.batch import predictor as module
from facelet.batch.predictor import FacePredictor
from facelet.errors import FaceletError, UnprovenModelError
from facelet.runtime.analyzer import Analyzer


def test_a_batch_of_encoded_files(predictor, photo):
    out = predictor({"path": ["a.jpg", "b.jpg"], "bytes": [photo(250), photo(20)]})
    assert out["file"].tolist() == ["a.jpg", "b.jpg"]
    assert out["expression"].tolist() == ["bright", "dark"]
    assert out["face"].tolist() == [1, 1]
    assert (out["left"][0], out["top"][0], out["width"][0], out["height"][0]) == (20, 15, 40, 30)
    assert np.allclose(out["p_dark"] + out["p_bright"], 1)
    assert out["error"].tolist() == [None, None]


def test_arrays_and_paths(predictor, album):
    images = np.stack([np.full((60, 80, 3), shade, np.uint8) for shade in (250, 20)])
    assert predictor({"image": images})["expression"].tolist() == ["bright", "dark"]
    assert predictor({"image": images})["file"].tolist() == ["photo 0", "photo 1"]
    out = predictor({"path": [str(album / "bright.jpg"), str(album / "gone.jpg")]})
    assert out["expression"].tolist() == ["bright", None]
    assert "gone.jpg" in out["error"][1]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"torn", "x.jpg: not a readable image"),
        (b"", "the file is empty"),
        (None, "the row has no photo"),
        (7, "is of type int"),
    ],
)
def test_a_broken_photo_has_a_row_with_the_reason(predictor, photo, data, reason):
    out = predictor({"path": ["x.jpg", "y.jpg"], "bytes": [data, photo(250)]})
    assert out["file"].tolist() == ["x.jpg", "y.jpg"]
    assert out["face"].tolist() == [0, 1]
    assert reason in out["error"][0]
    assert out["error"][1] is None


def test_an_unexpected_error_is_that_photos(predictor, photo):
    out = predictor({"path": ["odd.png", "good.png"], "bytes": [photo(2), photo(250)]})
    assert out["error"].tolist() == ["odd.png: ValueError: an unexpected error", None]


def test_a_photo_without_a_face_has_a_row(predictor, photo):
    out = predictor({"path": ["black.png"], "bytes": [photo(0)]})
    assert (out["face"].tolist(), out["error"].tolist(), out["expression"].tolist()) == ([0], [None], [None])


def test_no_photos_is_an_empty_table(predictor):
    out = predictor({"bytes": []})
    assert all(len(values) == 0 for values in out.values())


def test_a_batch_without_photos_is_an_error(predictor):
    with pytest.raises(
        FaceletError, match="a batch has the columns id, label; expected one of image, bytes, content, path"
    ):
        predictor({"id": [1], "label": ["x"]})


def test_pandas_and_arrow_batches_as_spark_gives_them(predictor, photo):
    """``mapInPandas`` and ``mapInArrow`` call a function of an iterator."""
    pandas, pyarrow = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    columns = {"path": ["a.jpg", "b.jpg"], "content": [photo(250), b"torn"]}
    frames = list(predictor.stream(iter([pandas.DataFrame(columns), pandas.DataFrame(columns)])))
    assert [frame["expression"].tolist()[0] for frame in frames] == ["bright", "bright"]
    assert "not a readable image" in frames[0]["error"][1]
    (batch,) = predictor.stream(iter([pyarrow.RecordBatch.from_pydict(columns)]))
    assert isinstance(batch, pyarrow.RecordBatch)
    assert batch.schema == predictor.arrow_schema
    assert batch.column("face").to_pylist() == [1, 0]
    table = predictor(pyarrow.table(columns))
    assert table.to_pylist() == batch.to_pylist()
    assert predictor.meta.columns.tolist() == table.column_names
    assert predictor.meta.dtypes.equals(predictor(pandas.DataFrame(columns)).dtypes)


def test_a_pickle_round_trip_needs_no_file(predictor, photo, tiny, tmp_path):
    batch = {"path": ["a.jpg"], "bytes": [photo(250)]}
    expected, packed = predictor(batch), pickle.dumps(predictor)
    module._open.cache_clear()
    module._model.cache_clear()
    tiny.unlink()
    (tmp_path / "yunet.onnx").unlink()
    copy = pickle.loads(packed)
    assert copy.fingerprint == predictor.fingerprint
    out = copy(batch)
    assert all(np.array_equal(out[name], expected[name]) for name in ("expression", "p_dark", "left"))


def test_it_works_in_another_process(tiny, tmp_path, photo):
    """Of ready crops, which need no detector; nothing of training, Ray, Arrow or pandas is imported."""
    packed = tmp_path / "predictor.pickle"
    packed.write_bytes(pickle.dumps((FacePredictor(tiny, cropped=True), {"path": ["a"], "bytes": [photo(250)]})))
    tiny.unlink()
    code = (
        "import pickle, sys; predictor, batch = pickle.load(open(sys.argv[1], 'rb')); print(*predictor(batch)['expression']); "
        "print(*{'torch', 'ray', 'pyarrow', 'pandas', 'onnx', 'dask'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code, packed], capture_output=True, text=True, check=True)
    assert run.stdout == "bright\n\n"


def test_the_model_is_opened_once_per_process(predictor, photo, monkeypatch):
    opened = []
    monkeypatch.setattr(module, "Analyzer", lambda *given, **more: opened.append(1) or Analyzer(*given, **more))
    packed, batch = pickle.dumps(predictor), {"bytes": [photo(250)]}
    threads = [threading.Thread(target=lambda: pickle.loads(packed)(batch)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert opened == [1]


def test_cropped_photos_are_predicted_together_and_alone_if_one_fails(tiny, photo):
    predictor = FacePredictor(tiny, cropped=True)
    out = predictor({"path": ["a", "b", "c"], "bytes": [photo(250), b"torn", photo(20)]})
    assert out["expression"].tolist() == ["bright", None, "dark"]
    assert out["face"].tolist() == [1, 0, 1]


def test_an_identity_vector(tiny, make_identity, tmp_path, photo):
    predictor = FacePredictor(tiny, cropped=True, identity=make_identity(tmp_path / "identity.onnx"))
    noisy = np.random.default_rng(0).integers(0, 255, (24, 24, 3)).astype(np.uint8)
    vector = predictor({"image": [noisy]})["identity"][0]
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    assert "`identity` array<float>" in predictor.spark_schema


def test_settings_are_checked_where_it_is_made(tiny, yunet):
    with pytest.raises(FaceletError, match="minimum score is 2"):
        FacePredictor(tiny, yunet, detect={"score": 2})
    with pytest.raises(FaceletError, match="threads: -1"):
        FacePredictor(tiny, cropped=True, threads=-1)
    with pytest.raises(FaceletError, match="no model file"):
        FacePredictor("gone.onnx", cropped=True)


def test_the_fingerprint_is_of_all_that_the_answers_depend_on(make_predictor, make_model, make_info, tmp_path):
    same = make_predictor().fingerprint
    assert make_predictor(threads=2).fingerprint == same
    assert make_predictor(detect={"score": 0.5}).fingerprint != same
    assert make_predictor(cropped=True).fingerprint != same
    other = make_model(tmp_path / "other.onnx", make_info(name="other"))
    assert FacePredictor(other, tmp_path / "yunet.onnx").fingerprint != same


def test_an_unproven_model_is_an_error_of_the_batch(predictor, photo, monkeypatch):
    def refuse(*given, **more):
        raise UnprovenModelError("saturates", "use another")

    monkeypatch.setattr(module.Model, "load", refuse)
    with pytest.raises(UnprovenModelError, match="saturates"):
        predictor({"bytes": [photo(250)]})


def test_it_is_public():
    assert facelet.FacePredictor is FacePredictor
