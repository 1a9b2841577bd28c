"""reproduce/requantize.py: an int8 file of an fp32 one, without a run."""

from __future__ import annotations

import pytest
import tiny

from facelet.models import model_file, saturation
from facelet.runtime.model import Model


@pytest.fixture
def requantize(benchmark_script):
    return benchmark_script("requantize")


def test_a_file_and_its_figures(requantize, fp32, tmp_path):
    faces = tiny.faces()
    path = requantize.quantized(fp32, "expression-new", faces, tmp_path, allowance=3)
    assert model_file.read(path).figures == {}
    requantize.measured(path, faces, pairs="")
    info, test = model_file.read(path), faces.split("test")
    right = (Model.load(path).logits(test.images).argmax(1) == test.labels).mean()
    assert info.figures["test_accuracy"] == pytest.approx(right, abs=1e-6)
    assert (info.name, info.precision, info.target) == ("expression-new", "int8", "portable")
    assert not saturation.risks(path.read_bytes())


def test_the_card_of_the_model_before_is_kept(requantize):
    assert "## How it was made" in requantize._card("expression")
    assert requantize._card("nobody") == ""
