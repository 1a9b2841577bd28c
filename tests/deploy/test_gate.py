from __future__ import annotations

import graphs
import numpy as np
import pytest

from facelet.deploy import gate
from facelet.errors import FaceletError
from facelet.models import model_file, self_test
from facelet.models.session import open_session, self_test_feed


def runner(path, change=lambda outputs: outputs):
    session = open_session(path, 1)
    return lambda face: change(session.run(None, {"x": face})[0])


def test_the_deviation_is_that_of_the_self_test(int8):
    info = model_file.read(int8)
    verdict = gate.check(runner(int8), int8, info)
    faces = self_test_feed(self_test.golden_faces(info.selftest, 1), info)["x"]
    expected = np.asarray(info.selftest.outputs)
    moved = graphs.answers(int8, faces) - expected
    assert verdict.deviation == pytest.approx(np.sqrt((moved**2).mean()) / expected.std(), rel=1e-3)
    assert verdict.passed
    assert verdict.from_onnx < 1e-6
    assert "8 golden faces" in str(verdict)


@pytest.mark.parametrize("wrong", [lambda y: y * 1.01, lambda y: y * np.nan, lambda y: y[:, ::-1], lambda y: y[:, :2]])
def test_other_outputs_do_not_pass(fp32, wrong):
    assert not gate.check(runner(fp32, wrong), fp32, model_file.read(fp32)).passed


def test_without_a_self_test_onnx_runtime_is_the_reference(fp32, tmp_path):
    info = model_file.read(fp32).model_copy(update={"selftest": None})
    verdict = gate.check(runner(fp32), fp32, info)
    assert verdict.passed
    assert verdict.deviation == verdict.from_onnx < 1e-6


def test_a_runtime_that_fails_is_an_error(fp32):
    def fail(face):
        raise RuntimeError("no such kernel\nand more")

    with pytest.raises(FaceletError, match=r"fails on a face: no such kernel$"):
        gate.check(fail, fp32, model_file.read(fp32))
