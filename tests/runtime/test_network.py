"""The network alone: rows in the image's pixels, a network for each thread, wrong files."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from facelet.errors import FaceletError
from facelet.runtime.network import Network


@pytest.mark.real
def test_rows_are_in_pixels_of_the_image(yunet, portrait):
    rows = Network(yunet, 0.75)(np.ascontiguousarray(portrait))
    assert rows.shape[1] == 15
    assert rows.dtype == np.float32
    left, top, width, height = rows[0, :4]
    assert 0 < left < left + width < portrait.shape[1]
    assert 0 < top < top + height < portrait.shape[0]
    assert 0.75 <= rows[0, 14] <= 1


def test_nothing_is_no_row(yunet):
    assert Network(yunet, 0.75)(np.zeros((64, 96, 3), np.uint8)).shape == (0, 15)


def test_each_thread_has_its_own(yunet):
    network = Network(yunet, 0.75)
    mine, others = network._opened(), []
    thread = threading.Thread(target=lambda: others.append(network._opened()))
    thread.start()
    thread.join()
    assert network._opened() is mine
    assert others[0] is not mine


def test_a_wrong_file(tmp_path):
    (tmp_path / "text.onnx").write_text("hello")
    with pytest.raises(FaceletError, match=r"cannot run .* as a face detector"):
        Network(tmp_path / "text.onnx", 0.75)
