"""benchmarks/portability.py: the parts that need nothing installed, and a browser that is played by a script."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from facelet.errors import FaceletError
from facelet.faces import load
from facelet.models import model_file
from facelet.runtime.model import Model, prepared
from facelet.shrink.export import reference_outputs, self_tested

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

BROWSER = """#!{python}
import json, sys
from urllib.error import HTTPError
from urllib.request import Request, urlopen
import numpy as np

def get(path):
    return urlopen(sys.argv[-1] + path).read()

def post(path, body):
    urlopen(Request(sys.argv[-1] + path, body.encode(), method="POST"))

job = json.loads(get("job.json"))
assert b"ort.wasm.min.mjs" in get("") and get("ort/ort.wasm.min.mjs") == b"code" and len(get("model")) == {size}
for outside in ("ort/../package.json", "ort/gone.wasm"):
    try:
        get(outside)
        post("failed", "served " + outside)
    except HTTPError:
        pass
faces = np.frombuffer(get("inputs"), "<f4").reshape(job["shape"])
if {fails}:
    post("failed", "Error: no such operator\\n    at ort.wasm")
means = faces.mean((1, 2, 3))
logits = np.stack([-4 * means, 4 * means], 1).tolist()
agent = "Mozilla/5.0 HeadlessChrome/999.0"
post("answers", json.dumps(dict(logits=logits, seconds=[0.002] * len(faces), agent=agent)))
"""


@pytest.fixture
def script(benchmark_script, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return benchmark_script("portability")


@pytest.fixture
def nothing_installed(script, monkeypatch, tmp_path):
    """No program on the path, no library but Facelet's own."""
    from portability import runtimes

    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(runtimes, "find_spec", lambda module: module != "openvino")
    return tmp_path / "bin"


@pytest.fixture
def job(script, expression, shades, tmp_path):
    """Ten test faces for a model that tells dark from bright; one bright face is dark."""
    from portability.job import Job

    path = expression()
    info, faces = model_file.read(path), load(f"folder:{shades}", size=32, channels=1).labelled("test")
    (tmp_path / "job").mkdir()
    return Job(path, "images", prepared(faces.images, info.input), tmp_path / "job", tmp_path / "cache", 20.0)


def run(script, monkeypatch, tmp_path, *words):
    """Rows by runtime, of the first model."""
    out = tmp_path / "rows.json"
    words = ("portability.py", *map(str, words), "--cache", str(tmp_path / "cache"), "--json", str(out))
    monkeypatch.setattr("sys.argv", list(words))
    script.main()
    return {row["runtime"]: row for row in json.loads(out.read_text())["models"][0]["rows"]}


def test_what_is_there_answers_and_what_is_missing_says_what_to_install(
    script, nothing_installed, expression, shades, monkeypatch, tmp_path, capsys
):
    rows = run(script, monkeypatch, tmp_path, expression(), "--faces", f"folder:{shades}", "--limit", 15)
    for name in ("onnxruntime", "opencv-dnn"):
        row = rows[name]
        assert (row["n"], row["change"], row["agreement"], row["reason"]) == (15, 0.0, 1.0, "")
        assert 0.7 < row["low"] < row["accuracy"] <= row["high"]
        assert row["largest"] < 1e-4
        assert row["p50_ms"] > 0
    for name, told in {
        "x86-no-vnni": ("apt-get install qemu-user-static", "emulates this Python"),
        "arm64": ("apt-get install qemu-user-static",),
        "wasm": ("apt-get install chromium",),
        "openvino": ("pip install openvino",),
    }.items():
        assert rows[name]["accuracy"] is None
        assert any(some in rows[name]["reason"] for some in told)
    printed = capsys.readouterr().out
    assert "15 of 20 test faces of folder" in printed
    assert "wasm failed: no chromium" in printed
    assert "accuracy: the same in all runtimes" in printed
    assert "this machine" in printed


def test_what_was_not_prepared_says_how(script, nothing_installed, job):
    from portability.browser import prepare_wasm, wasm
    from portability.emulated import arm64, prepare_arm64

    with pytest.raises(FaceletError, match="qemu-user-static"):
        prepare_arm64(job.cache)
    with pytest.raises(FaceletError, match="no npm; apt-get install npm"):
        prepare_wasm(job.cache)
    for name in ("qemu-aarch64-static", "chromium"):
        (nothing_installed / name).write_text("")
        (nothing_installed / name).chmod(0o755)
    with pytest.raises(FaceletError, match="--prepare arm64"):
        arm64(job, "cortex-a76", "dot products")
    with pytest.raises(FaceletError, match="--prepare wasm"):
        wasm(job)


def test_a_crash_and_an_error_are_one_line(script, job, tmp_path):
    from dataclasses import replace

    from portability.job import by_worker

    crash = [sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"]
    with pytest.raises(FaceletError, match=r"^crashed by SIGSEGV: no error message$"):
        by_worker(job, crash, "onnxruntime", "here")
    with pytest.raises(FaceletError, match=r"cannot start .*gone"):
        by_worker(job, ["/gone/python"], "onnxruntime", "here")
    (tmp_path / "text.onnx").write_text("text")
    with pytest.raises(FaceletError, match=r"^InvalidProtobuf: .*") as caught:
        by_worker(replace(job, model=tmp_path / "text.onnx"), [sys.executable], "onnxruntime", "here")
    assert "\n" not in str(caught.value)


def test_a_runtime_that_is_slow_stops_with_the_faces_that_it_has(script, job):
    from dataclasses import replace

    from portability.job import by_worker

    answers = by_worker(replace(job, seconds=1e-9), [sys.executable], "onnxruntime", "here", timed=False)
    assert answers.logits.shape == (1, 2)
    assert answers.milliseconds is None
    whole = by_worker(job, [sys.executable], "onnxruntime", "here")
    assert whole.logits.shape == (len(job.inputs), 2)
    assert np.array_equal(whole.logits[:1], answers.logits)


@pytest.mark.parametrize("fails", [False, True])
def test_the_browser_gets_its_page_and_is_heard(script, nothing_installed, job, fails):
    from portability.browser import wasm

    package = job.cache / "wasm" / "node_modules" / "onnxruntime-web"
    (package / "dist").mkdir(parents=True)
    (package / "package.json").write_text('{"version": "1.2.3"}')
    (package / "dist" / "ort.wasm.min.mjs").write_text("code")
    browser = nothing_installed / "chromium"
    browser.write_text(BROWSER.format(python=sys.executable, size=job.model.stat().st_size, fails=fails))
    browser.chmod(0o755)
    if fails:
        with pytest.raises(FaceletError, match=r"^Error: no such operator$"):
            wasm(job)
        return
    answers = wasm(job)
    expected = Model.load(job.model).session.run(None, {"images": job.inputs})[0]
    assert np.abs(answers.logits - expected).max() < 1e-5
    assert (answers.version, answers.where) == ("1.2.3", "Chromium 999, SIMD, one thread")
    assert answers.milliseconds == pytest.approx(2)


def test_a_browser_that_does_not_start(script, nothing_installed, job):
    from portability.browser import wasm

    package = job.cache / "wasm" / "node_modules" / "onnxruntime-web"
    package.mkdir(parents=True)
    (package / "package.json").write_text('{"version": "1.2.3"}')
    (nothing_installed / "chromium").write_text(f"#!{sys.executable}\nraise SystemExit(7)\n")
    (nothing_installed / "chromium").chmod(0o755)
    with pytest.raises(FaceletError, match="the browser ended with code 7 before the page answered"):
        wasm(job)


def outputs_of(logits):
    from portability.job import RuntimeOutputs

    return RuntimeOutputs.of(logits, [0.001] * len(logits), "1.0", "here")


def test_figures_of_expressions_by_hand(script, make_sample):
    """Four faces were asked; the runtime has answered three: one other label, one face fewer right."""
    from portability.scores import Comparison

    reference = np.array([[2, 0], [0, 2], [2, 0], [0, 9]], np.float32)
    comparison = Comparison(make_sample(labels=np.array([0, 1, 1, 1])), reference, "expression")
    row = comparison.row("mine", outputs_of([[2, 0], [1, 0], [2, 0.5]]))
    assert (row.n, row.accuracy, row.agreement) == (3, pytest.approx(1 / 3), pytest.approx(2 / 3))
    assert row.change == pytest.approx(-1 / 3)
    assert (row.largest, row.mean) == (2.0, pytest.approx((1 + 2 + 0.5) / 6))
    with pytest.raises(FaceletError, match="3 numbers per face, the reference 2"):
        comparison.row("mine", outputs_of([[1, 2, 3]]))
    with pytest.raises(FaceletError, match="NaN"):
        outputs_of([[np.nan, 1]])


def test_figures_of_pairs_by_hand(script, make_sample):
    """Vectors of any length; the fifth face has no partner among the answers."""
    from portability.scores import Comparison

    reference = np.array([[1, 0], [2, 0], [1, 0], [0, 1], [0, 3], [0, 1]], np.float32)
    sample = make_sample(same=np.array([True, False, True]))
    comparison = Comparison(sample, reference, "identity", threshold=0.5)
    row = comparison.row("mine", outputs_of([[4, 0], [0, 1], [1, 0], [0, 1], [0, 1]]))
    assert (row.n, row.accuracy, row.change) == (5, 0.5, -0.5)
    assert (row.cosine, row.least_cosine) == (pytest.approx(0.8), 0.0)
    assert row.agreement is None
    assert comparison.row("mine", outputs_of([[1, 0]])).accuracy is None


@pytest.fixture
def make_sample(script):
    def make(labels=None, same=None):
        from portability.scores import Sample

        return Sample(np.zeros((6, 8, 8, 1), np.uint8), labels, same, "by hand")

    return make


def test_pairs_of_an_identity_model(script, nothing_installed, identity, small_lfw, monkeypatch, tmp_path, capsys):
    words = (identity(), "--faces", f"lfw:{small_lfw()}", "--limit", 8, "--runtimes", "onnxruntime,wasm")
    rows = run(script, monkeypatch, tmp_path, *words)
    assert rows["onnxruntime"]["least_cosine"] == pytest.approx(1)
    assert (rows["onnxruntime"]["n"], rows["onnxruntime"]["change"]) == (16, 0.0)
    assert "8 of 12 pairs of lfw" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--faces", "folder:gone"], "error: "),
        (["--faces", "lfw:gone"], "error: .*for expression"),
        (["--faces", "folder:gone", "--reference", "gone.onnx"], "error: no model file 'gone.onnx'"),
    ],
)
def test_mistakes_of_the_user(script, expression, monkeypatch, words, told):
    monkeypatch.setattr("sys.argv", ["portability.py", str(expression()), *words])
    with pytest.raises(SystemExit, match=told):
        script.main()


def test_mistakes_of_the_command_line(script, monkeypatch, capsys):
    for words, told in (
        (["m.onnx"], "--faces SOURCE is missing"),
        ([], "give a MODEL, or --prepare"),
        (["m.onnx", "--faces", "toy", "--runtimes", "wams"], "did you mean 'wasm'"),
        (["m.onnx", "--faces", "toy", "--limit", "0"], "--limit and --seconds must be above 0"),
    ):
        monkeypatch.setattr("sys.argv", ["portability.py", *words])
        with pytest.raises(SystemExit):
            script.main()
        assert told in capsys.readouterr().err


def test_an_int8_file_needs_its_twin(script, expression, ship_both):
    int8 = model_file.read(ship_both)
    assert script.reference_of(str(ship_both), int8, None).name == "expression-fp32.onnx"
    stranger = int8.model_copy(update={"name": "mine"})
    with pytest.raises(FaceletError, match="no fp32 twin in the package; give one with --reference FILE"):
        script.reference_of(str(ship_both), stranger, None)
    fp32 = expression("own.onnx")
    assert script.reference_of(str(fp32), model_file.read(fp32), None) == fp32


@pytest.fixture
def ship_both(shelf, benchmark_script, expression):
    """A new int8 file of a model whose name is in the package, with its twin."""
    ship = benchmark_script("ship").ship
    int8 = with_self_test(expression("new.onnx", precision="int8", target="portable", name="expression"))
    ship(int8, "expression", "int8", shelf)
    ship(with_self_test(expression("twin.onnx")), "expression-fp32", "fp32", shelf)
    return int8


def test_the_lock_file_names_versions_and_no_host():
    lock = (BENCHMARKS / "portability" / "package-lock.json").read_text()
    assert "integrity" in lock
    assert "http" not in lock
    wanted = json.loads((BENCHMARKS / "portability" / "package.json").read_text())["dependencies"]
    packages = json.loads(lock)["packages"]
    assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted


def with_self_test(path):
    info, model = model_file.read(path), onnx.load(path)
    model_file.write(model, self_tested(model, info, *reference_outputs(path, info)), path)
    return path
