"""The self-test of a model file: its record, its seal, and what opening a file makes of it."""

from __future__ import annotations

import base64
import zlib

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from typer.testing import CliRunner

from facelet.cli.app import app
from facelet.errors import FaceletError, FaceletWarning, UnprovenModelError
from facelet.faces.cartoon.golden import golden_faces
from facelet.models import bundled, model_file, self_test
from facelet.models import session as model_session
from facelet.models.model_file import InputInfo, ModelInfo
from facelet.models.session import open_session, self_test_feed, unproven_models_allowed
from facelet.runtime import check as checking
from facelet.runtime.model import Model

SIZE = 12


@pytest.fixture(autouse=True)
def nothing_proven(monkeypatch):
    monkeypatch.setattr(model_session, "_proven", set())


def weights_of(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(SIZE * SIZE, 2)).astype(np.float32) / SIZE


def graph_of(weights: np.ndarray) -> onnx.ModelProto:
    """Logits as a projection of the pixels; weights of 8 bits make it an int8 graph."""
    nodes, stored = [helper.make_node("Flatten", ["images"], ["flat"])], [numpy_helper.from_array(weights, "w")]
    if weights.dtype == np.int8:
        scales = {"s": np.float32(1 / 64), "z": np.uint8(128), "ws": np.float32(0.01)}
        stored += [numpy_helper.from_array(np.asarray(value), name) for name, value in scales.items()]
        nodes += [
            helper.make_node("QuantizeLinear", ["flat", "s", "z"], ["q"]),
            helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
            helper.make_node("DequantizeLinear", ["w", "ws"], ["wd"]),
            helper.make_node("MatMul", ["d", "wd"], ["logits"], name="last"),
        ]
    else:
        nodes.append(helper.make_node("MatMul", ["flat", "w"], ["logits"]))
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 1, SIZE, SIZE])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 2])
    graph = helper.make_graph(nodes, "g", [images], [logits], stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def info_of(**changes) -> ModelInfo:
    fields = {"labels": ("a", "b"), "input": InputInfo(size=SIZE, channels=1, mean=(0.5,), std=(0.25,)), "name": "m"}
    return ModelInfo(**{**fields, **changes})


def answers_of(graph: onnx.ModelProto, info: ModelInfo) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, self_test_feed(golden_faces(1), info))[0]


@pytest.fixture
def file_of(tmp_path):
    """``file_of(weights, outputs_of=other, **info)``: a model file whose self-test has the outputs of ``outputs_of``."""

    def make(weights, outputs_of=None, name="m", **changes):
        info = info_of(**changes)
        outputs = answers_of(graph_of(weights if outputs_of is None else outputs_of), info)
        test = self_test.make(golden_faces(1), outputs, 0.0, info.precision)
        path = tmp_path / f"{name}.onnx"
        model_file.write(graph_of(weights), info.model_copy(update={"selftest": test}), path)
        return path

    return make


def change(path, **update):
    """Rewrites fields of the self-test in a file, as someone who tampers with it would."""
    info = model_file.read(path)
    test = info.selftest.model_copy(update=update)
    model_file.write(onnx.load(path), info.model_copy(update={"selftest": test}), path)


# The record


@pytest.mark.parametrize("channels", [1, 3])
def test_golden_faces_are_small_and_survive_the_record(channels):
    faces = golden_faces(channels)
    assert faces.shape == (8, self_test.SIDE, self_test.SIDE, channels)
    assert len({face.tobytes() for face in faces}) == 8
    test = self_test.make(faces, np.zeros((8, 2)), 0.5, "fp32")
    assert np.array_equal(self_test.golden_faces(test, channels), faces)
    assert len(test.faces) < 4500
    assert test.tolerance == pytest.approx(0.625)


def test_enlarging_repeats_pixels():
    faces = np.arange(4, dtype=np.uint8).reshape(1, 2, 2, 1)
    assert self_test.enlarged(faces, 4)[0, ..., 0].tolist() == [[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3], [2, 2, 3, 3]]
    assert self_test.enlarged(faces, 3).shape == (1, 3, 3, 1)


def test_deviation_is_in_standard_deviations_of_the_reference():
    reference = np.array([[1.0, -1.0], [-1.0, 1.0]])
    assert self_test.deviation(reference, reference) == 0
    assert self_test.deviation(reference + 0.5, reference) == pytest.approx(0.5)
    assert self_test.deviation(10 * reference + 5, 10 * reference) == pytest.approx(0.5)
    assert self_test.deviation(reference[:1], reference) == np.inf
    assert self_test.deviation(reference * np.nan, reference) == np.inf


@pytest.mark.parametrize("field", ["faces", "outputs", "tolerance"])
def test_what_was_changed_after_it_was_sealed_is_refused(file_of, field):
    path = file_of(weights_of(0))
    other = self_test.make(255 - golden_faces(1), np.ones((8, 2)), 5.0, "fp32")
    change(path, **{field: getattr(other, field)})
    with pytest.raises(FaceletError, match=r"its self-test is damaged: wrong digest"):
        open_session(path)


@pytest.mark.parametrize(
    ("faces", "says"),
    [
        ("no base64!", "cannot be unpacked"),
        (base64.b64encode(b"no zlib").decode(), "cannot be unpacked"),
        (base64.b64encode(zlib.compress(bytes(100))).decode(), "expected 8 faces of 24 x 24 x 1"),
        (
            base64.b64encode(zlib.compress(bytes(50_000_000), 9)).decode(),
            "expected 8 faces of 24 x 24 x 1",
        ),  # 50 MB in 50 kB
    ],
)
def test_damaged_faces_are_refused_without_unpacking_them_all(file_of, faces, says):
    path = file_of(weights_of(0))
    test = model_file.read(path).selftest.model_copy(update={"faces": faces})
    change(path, faces=faces, digest=test.seal())
    with pytest.raises(FaceletError, match=says):
        open_session(path)


# Opening a file


def test_a_file_that_computes_what_it_says_opens_and_is_tested_once(file_of, monkeypatch):
    runs = []
    monkeypatch.setattr(model_session, "self_test", lambda *given: runs.append(given) or 0.0)
    path = file_of(weights_of(0))
    for _ in range(3):
        open_session(path)
    assert len(runs) == 1


def test_other_outputs_than_the_fp32_nets_are_refused(file_of):
    """As from a damaged runtime: here the weights were changed."""
    path = file_of(weights_of(1), outputs_of=weights_of(0))
    with pytest.raises(UnprovenModelError, match=r"fails its self-test on this machine, .*ONNX Runtime \d.*--allow"):
        open_session(path)
    with unproven_models_allowed():
        open_session(path)
    with pytest.raises(UnprovenModelError):
        open_session(path)


def test_a_runtime_that_cannot_run_the_golden_faces_is_refused(file_of, monkeypatch):
    path = file_of(weights_of(0))
    monkeypatch.setattr(model_session, "self_test_feed", lambda *_: {"images": np.zeros((1, 1), np.float32)})
    with pytest.raises(UnprovenModelError, match="deviate by inf from the fp32 net's"):
        open_session(path)


def test_a_file_without_a_self_test_opens_with_one_line(tmp_path):
    model_file.write(graph_of(weights_of(0)), info_of(), tmp_path / "old.onnx")
    with pytest.warns(FaceletWarning, match=r"old.onnx has no self-test: cannot verify") as noted:
        Model.load(tmp_path / "old.onnx")
    assert len(noted) == 1


def test_a_file_of_the_first_format_opens(tmp_path):
    model = graph_of(weights_of(0))
    text = info_of().model_dump_json(exclude={"target", "selftest"}).replace('"format":2', '"format":1')
    helper.set_model_props(model, {"facelet": text})
    onnx.save(model, tmp_path / "old.onnx")
    open_session(tmp_path / "old.onnx")
    assert model_file.read(tmp_path / "old.onnx").target == ""


def test_an_unknown_target_is_refused_with_the_known_ones(tmp_path):
    model = graph_of(weights_of(0))
    helper.set_model_props(model, {"facelet": info_of().model_dump_json().replace('"target":""', '"target":"riscv"')})
    onnx.save(model, tmp_path / "m.onnx")
    with pytest.raises(FaceletError, match=r"unknown target 'riscv'; expected one of portable, vnni, arm64"):
        open_session(tmp_path / "m.onnx")


# Where kernels saturate


@pytest.fixture
def saturating(monkeypatch):
    monkeypatch.setattr("facelet.models.saturation.kernels_saturate", lambda: True)


WIDE = np.full((SIZE * SIZE, 2), 100, np.int8)
NARROW = np.full((SIZE * SIZE, 2), 64, np.int8)


@pytest.mark.parametrize("target", ["", "vnni", "arm64", "portable"])
def test_eight_bit_weights_are_refused_where_kernels_saturate(file_of, saturating, target):
    """Whatever the file says of itself."""
    path = file_of(WIDE, precision="int8", target=target)
    with pytest.raises(UnprovenModelError) as caught:
        open_session(path)
    text = str(caught.value)
    assert "saturate on this machine" in text
    assert "MatMul last (weight pair 200, safe up to 128)" in text
    assert text.endswith("use the fp32 model that it was made from, or --allow to take the risk")
    with unproven_models_allowed():
        open_session(path)


def test_weights_that_keep_the_bound_open_where_kernels_saturate(file_of, saturating):
    open_session(file_of(NARROW, precision="int8", target="portable"))


def test_eight_bit_weights_open_where_kernels_are_exact(file_of, monkeypatch):
    monkeypatch.setattr("facelet.models.saturation.kernels_saturate", lambda: False)
    open_session(file_of(NARROW * 0 + 100, precision="int8", target="vnni"))


@pytest.fixture
def bundle(shelf, file_of, saturating):
    """``expression`` in 8 bits, wrong here, and its fp32 twin, in place of the models that come with Facelet."""
    import hashlib
    import json

    lines = []
    for name, weights, precision in (("expression", WIDE, "int8"), ("expression-fp32", weights_of(0), "fp32")):
        data = file_of(weights, name=name, precision=precision).read_bytes()
        (shelf / f"{name}.onnx").write_bytes(data)
        twin = "" if name.endswith("fp32") else "expression-fp32"
        sha256 = hashlib.sha256(data).hexdigest()
        lines.append(
            {
                "name": name,
                "file": f"{name}.onnx",
                "task": "expression",
                "sha256": sha256,
                "bytes": len(data),
                "twin": twin,
            }
        )
    (shelf / "models.json").write_text(json.dumps(lines))
    return shelf


def test_a_bundled_model_falls_back_to_its_twin_with_a_warning(bundle):
    with pytest.warns(FaceletWarning, match=r"saturate on this machine.*; using expression-fp32 instead"):
        model = Model.load("expression")
    assert model.path == bundle / "expression-fp32.onnx"
    with pytest.warns(FaceletWarning):
        assert Model.load(bundled.default("expression")).path == model.path


def test_to_measure_a_bundled_model_there_is_no_falling_back(bundle):
    with pytest.raises(UnprovenModelError, match="use expression-fp32, or --allow"):
        Model.load("expression", fall_back=False)
    result = CliRunner().invoke(app, ["bench", "expression", "--seconds", "0.1"])
    assert isinstance(result.exception, UnprovenModelError)
    assert CliRunner().invoke(app, ["bench", "expression", "--seconds", "0.1", "--allow"]).exit_code == 0
    with pytest.raises(UnprovenModelError):  # what --allow allows ends with its command
        open_session(bundled.found("expression"))


def test_the_check_of_all_models(bundle, capsys):
    wrong, right = checking.check_bundled()
    assert (wrong.verdict, wrong.pair, wrong.works) == ("saturates here", 200, False)
    assert (right.verdict, right.pair, right.works) == ("ok", 0, True)
    assert right.deviation <= right.tolerance
    result = CliRunner().invoke(app, ["models", "--check"])
    assert result.exit_code == 1
    assert "saturates here" in result.output
    assert "ONNX Runtime" in result.output
    as_json = CliRunner().invoke(app, ["models", "expression-fp32", "--check", "--json"])
    assert as_json.exit_code == 0
    assert '"verdict": "ok"' in as_json.output
    assert "model expression: saturates here" in CliRunner().invoke(app, ["env"]).output


def test_the_bundled_models_compute_rightly_on_this_machine():
    """Every one of them, on whatever machine this runs."""
    found = checking.check_bundled()
    assert [one.verdict for one in found] == ["ok"] * len(bundled.models())
    assert CliRunner().invoke(app, ["models", "--check"]).exit_code == 0


def test_a_bundled_file_that_is_damaged_is_a_row_of_the_check(bundle):
    (bundle / "expression.onnx").write_bytes(b"damaged")
    wrong, right = checking.check_bundled()
    assert "is not the file that Facelet was released with" in wrong.verdict
    assert right.works


def test_models_says_where_a_file_is_right(file_of):
    for weights, target, says in (
        (NARROW, "portable", "every processor: no sum can saturate (largest weight pair 128 of 128)"),
        (WIDE, "vnni", "not every processor (x86 with VNNI"),
    ):
        info = info_of(precision="int8", target=target)
        assert checking.runs_on(info, graph_of(weights).SerializeToString()).startswith(says)
    assert checking.runs_on(info_of(), graph_of(weights_of(0)).SerializeToString()) == "every processor: fp32"
