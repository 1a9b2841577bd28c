"""ExecuTorch: PyTorch's runtime for phones and boards. A .pte program for XNNPACK, fp32 or int8.

Int8 keeps the ranges of the model file: its pairs of QuantizeLinear and DequantizeLinear become torch's, which XNNPACK's
partitioner turns into integer operators. The converter brings many packages; an environment of its own is best.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facelet.deploy.graph import read_graph
from facelet.deploy.target import TARGETS, Run, Target, reason
from facelet.errors import FaceletError
from facelet.models.model_file import ModelInfo


@TARGETS.register("executorch")
class ExecuTorch(Target):
    """A .pte program, and ExecuTorch's runtime for Python with XNNPACK."""

    name = "executorch"
    title = "ExecuTorch"
    suffix = ".pte"
    modules = {"executorch": "executorch", "torch": "torch"}

    def convert(self, source: Path, info: ModelInfo, path: Path) -> None:
        import torch
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
        from executorch.exir import to_edge_transform_and_lower

        from facelet.deploy.torch_module import TorchModule

        module = TorchModule(read_graph(source), self.title).eval()
        face = torch.zeros(1, info.input.channels, info.input.size, info.input.size)
        logging.getLogger("executorch").setLevel(logging.ERROR)
        try:
            exported = torch.export.export(module, (face,))
            lowered = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()])
            path.write_bytes(lowered.to_executorch().buffer)
        except Exception as error:  # torch and ExecuTorch raise whatever goes wrong in any of their stages
            raise FaceletError(f"ExecuTorch cannot represent {source}: {reason(error)}") from error

    def open(self, path: Path, info: ModelInfo, threads: int = 1) -> Run:
        import torch
        from executorch.extension.pybindings import portable_lib
        from executorch.runtime import Runtime

        portable_lib._unsafe_reset_threadpool(threads)  # the only way to set the number of threads from Python
        try:
            method = Runtime.get().load_program(path).load_method("forward")
        except RuntimeError as error:
            raise FaceletError(f"ExecuTorch cannot load {path.name}: {reason(error)}") from error

        def run(face: NDArray[np.float32]) -> NDArray[np.float32]:
            return method.execute([torch.from_numpy(np.ascontiguousarray(face))])[0].numpy()

        return run
