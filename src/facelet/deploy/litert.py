"""LiteRT (formerly TensorFlow Lite): Android, iOS and boards. One .tflite file, fp32 or int8.

Written from the model file's graph with the schema that ``ai-edge-litert`` ships (``deploy.tflite``), because int8 has to keep the
ranges of the model file; converters from PyTorch or TensorFlow calibrate their own. The metadata lies in the file too, as the named
metadata ``facelet``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facelet.deploy.graph import read_graph
from facelet.deploy.target import TARGETS, Run, Target, reason
from facelet.errors import FaceletError
from facelet.models.model_file import KEY, ModelInfo


@TARGETS.register("litert")
class LiteRT(Target):
    """A .tflite file, and LiteRT's interpreter with XNNPACK."""

    name = "litert"
    title = "LiteRT"
    suffix = ".tflite"
    modules = {"ai_edge_litert": "ai-edge-litert"}
    layout = "NHWC"

    def convert(self, source: Path, info: ModelInfo, path: Path) -> None:
        from facelet.deploy.tflite.convert import convert

        metadata = info.model_dump_json(exclude={"card"}).encode()
        path.write_bytes(convert(read_graph(source), {KEY: metadata}))

    def open(self, path: Path, info: ModelInfo, threads: int = 1) -> Run:
        from ai_edge_litert.interpreter import Interpreter

        try:
            interpreter = Interpreter(model_path=str(path), num_threads=threads)
            interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise FaceletError(f"LiteRT cannot load {path.name}: {reason(error)}") from error
        first, last = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

        def run(face: NDArray[np.float32]) -> NDArray[np.float32]:
            interpreter.set_tensor(first, face.transpose(0, 2, 3, 1))
            interpreter.invoke()
            return interpreter.get_tensor(last)

        return run
