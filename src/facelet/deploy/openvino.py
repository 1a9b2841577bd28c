"""OpenVINO: Intel processors and others. The runtime reads model files as they are; the export is its IR (.xml and .bin).

The IR keeps float weights in 32 bits. On processors with bfloat16 OpenVINO computes in it by default, which changes outputs: set
``INFERENCE_PRECISION_HINT`` to ``f32``, as this module does, to get the measured ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facelet.deploy.target import TARGETS, Run, Target, reason
from facelet.errors import FaceletError
from facelet.models.model_file import ModelInfo


@TARGETS.register("openvino")
class OpenVINO(Target):
    """OpenVINO's IR, and its CPU plugin."""

    name = "openvino"
    title = "OpenVINO"
    suffix = ".xml"
    modules = {"openvino": "openvino"}

    def files(self, path: Path) -> list[Path]:
        return [path, path.with_suffix(".bin")]

    def convert(self, source: Path, info: ModelInfo, path: Path) -> None:
        import openvino

        try:
            model = openvino.convert_model(str(source))
            model.reshape([1, info.input.channels, info.input.size, info.input.size])
            openvino.save_model(model, str(path), compress_to_fp16=False)
        except Exception as error:  # OpenVINO raises RuntimeError and classes of its own, with the node in the message
            raise FaceletError(f"OpenVINO cannot represent {source}: {_cause(error)}") from error

    def open(self, path: Path, info: ModelInfo, threads: int = 1) -> Run:
        import openvino

        settings: dict[str, Any] = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
        try:
            compiled = openvino.Core().compile_model(str(path), "CPU", settings)
        except Exception as error:
            raise FaceletError(f"OpenVINO cannot compile {path.name}: {_cause(error)}") from error
        request = compiled.create_infer_request()

        def run(face: NDArray[np.float32]) -> NDArray[np.float32]:
            return request.infer({0: face}, share_inputs=True, share_outputs=False)[0]

        return run


def _cause(error: Exception) -> str:
    """The line of OpenVINO's message that names operators, else the last one; the first are places in its own source."""
    lines = [line.strip("- ") for line in str(error).splitlines() if line.strip()]
    named = [line for line in lines if line.startswith(("No conversion rule", "Conversion is failed"))]
    return (named[0] if named else lines[-1] if lines else reason(error))[:300]
