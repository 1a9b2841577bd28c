from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # graphs

import graphs


@pytest.fixture(scope="session")
def fp32(tmp_path_factory) -> Path:
    return graphs.write_model(tmp_path_factory.mktemp("deploy") / "small.onnx")


@pytest.fixture(scope="session")
def int8(fp32) -> Path:
    from facelet.shrink.int8.qdq import Calibrated, QuantizationConfig

    faces = np.random.default_rng(0).standard_normal((32, 1, 16, 16), np.float32)
    quantized = Calibrated(fp32, faces).quantized(QuantizationConfig("u8s8"))
    return graphs.write_model(fp32.with_name("small-int8.onnx"), quantized, "int8", target="portable")


@pytest.fixture(scope="session")
def needs():
    """``needs("ncnn")`` skips the test where a package of the target is missing."""
    from facelet.deploy import TARGETS

    def skip(target: str) -> None:
        missing = [name for name in TARGETS[target].modules if importlib.util.find_spec(name) is None]
        if missing:
            pytest.skip(f"{', '.join(missing)} is not installed")

    return skip
