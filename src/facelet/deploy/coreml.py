"""CoreML: iOS and macOS. An ML program in a folder (.mlpackage), float32; converted anywhere, run on macOS only.

``coremltools`` converts on Linux but has no runtime there, so the parity gate runs on a Mac and the export is marked "not run here"
elsewhere. Int8 files are refused: their integer arithmetic could not be checked. CoreML has its own compression.
"""

from __future__ import annotations

import contextlib
import io
import logging
import sys
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facelet.deploy.graph import read_graph, require_float
from facelet.deploy.target import TARGETS, Run, Target, reason
from facelet.errors import FaceletError
from facelet.models.model_file import KEY, ModelInfo


@TARGETS.register("coreml")
class CoreML(Target):
    """An ML program, and CoreML on macOS."""

    name = "coreml"
    title = "CoreML"
    suffix = ".mlpackage"
    modules = {"coremltools": "coremltools", "torch": "torch"}
    elsewhere = "" if sys.platform == "darwin" else "iOS and macOS"

    def convert(self, source: Path, info: ModelInfo, path: Path) -> None:
        require_float(self.title, source)
        import torch

        from facelet.deploy.torch_module import TorchModule

        graph = read_graph(source)
        module = TorchModule(graph, self.title).eval()
        face = torch.zeros(1, info.input.channels, info.input.size, info.input.size)
        logging.getLogger("coremltools").setLevel(logging.ERROR)
        try:
            with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):  # its progress bars
                warnings.simplefilter("ignore")
                import coremltools

                traced = torch.jit.trace(module, face, check_trace=False)
                model = coremltools.convert(
                    traced,
                    convert_to="mlprogram",
                    inputs=[coremltools.TensorType(name=graph.input, shape=face.shape)],
                    outputs=[coremltools.TensorType(name=graph.output)],
                    compute_precision=coremltools.precision.FLOAT32,
                    minimum_deployment_target=coremltools.target.iOS15,
                )
                model.user_defined_metadata[KEY] = info.model_dump_json(exclude={"card"})
                model.save(str(path))
        except Exception as error:  # coremltools raises whatever goes wrong in any of its stages
            raise FaceletError(f"CoreML cannot represent {source}: {reason(error)}") from error

    def open(self, path: Path, info: ModelInfo, threads: int = 1) -> Run:
        if self.elsewhere:
            raise FaceletError(f"CoreML models run on {self.elsewhere} only")
        import coremltools

        model = coremltools.models.MLModel(str(path), compute_units=coremltools.ComputeUnit.CPU_ONLY)

        def run(face: NDArray[np.float32]) -> NDArray[np.float32]:
            return next(iter(model.predict({info.input.name: face}).values()))

        return run
