"""ncnn: phones and boards (ARM, Vulkan). Converted by pnnx to a .param file with the graph and a .bin file with the weights.

The weights stay in 32 bits. ncnn's int8 has no zero points, so it cannot keep the ranges of int8 model files, which are refused:
export the fp32 model. ncnn's own tools quantize it with their own ranges.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from facelet.deploy.graph import require_float, static_model
from facelet.deploy.target import TARGETS, Run, Target
from facelet.errors import FaceletError
from facelet.models.model_file import ModelInfo

SECONDS = 300
"""Time limit for pnnx, which takes a second for a small net."""


@TARGETS.register("ncnn")
class Ncnn(Target):
    """ncnn's .param and .bin."""

    name = "ncnn"
    title = "ncnn"
    suffix = ".param"
    modules = {"ncnn": "ncnn", "pnnx": "pnnx"}

    def files(self, path: Path) -> list[Path]:
        return [path, path.with_suffix(".bin")]

    def convert(self, source: Path, info: ModelInfo, path: Path) -> None:
        require_float(self.title, source)
        shape = f"[1,{info.input.channels},{info.input.size},{info.input.size}]f32"
        with tempfile.TemporaryDirectory(prefix="facelet-") as folder:
            onnx.save_model(static_model(source), str(Path(folder) / "model.onnx"))
            _pnnx(
                "model.onnx",
                f"inputshape={shape}",
                "fp16=0",
                f"ncnnparam={path.resolve()}",
                f"ncnnbin={path.with_suffix('.bin').resolve()}",
                folder=folder,
            )
        _require_layers(path)

    def open(self, path: Path, info: ModelInfo, threads: int = 1) -> Run:
        import ncnn

        net = ncnn.Net()
        net.opt.num_threads = threads
        net.opt.use_vulkan_compute = False
        # On processors with 16-bit floats they are the default; the outputs of the model file are those of 32 bits.
        for option in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage"):
            setattr(net.opt, option, False)
        if net.load_param(str(path)) or net.load_model(str(path.with_suffix(".bin"))):
            raise FaceletError(f"ncnn cannot load {path.name}; its layers are not those of {self.version()}")
        first, last = net.input_names()[0], net.output_names()[0]

        def run(face: NDArray[np.float32]) -> NDArray[np.float32]:
            image = np.ascontiguousarray(face[0])  # ncnn.Mat ignores strides, and does not own the memory
            with net.create_extractor() as extractor:
                extractor.input(first, ncnn.Mat(image))
                code, output = extractor.extract(last)
                if code:
                    raise FaceletError(f"ncnn stops with code {code}")
                return np.array(output, np.float32).reshape(1, -1)

        return run


def _pnnx(*words: str, folder: str) -> None:
    import pnnx

    try:
        ended = subprocess.run([pnnx.EXEC_PATH, *words], cwd=folder, capture_output=True, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FaceletError(f"pnnx does not finish: {error}") from None
    if ended.returncode:
        lines = (ended.stderr + ended.stdout).decode("utf-8", "replace").splitlines()
        raise FaceletError(f"pnnx stops with code {ended.returncode}: {(lines or ['no message'])[-1].strip()[:300]}")


def _require_layers(path: Path) -> None:
    """Raises FaceletError for a layer of the .param file that is none of ncnn's: pnnx leaves what it cannot convert."""
    import ncnn

    if not path.exists():
        raise FaceletError("pnnx wrote no ncnn graph")
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines()[2:]:
        kind, name = (*line.split(), "", "")[:2]
        if ncnn.layer_to_index(kind) < 0:
            raise FaceletError(f"ncnn cannot represent node {name!r} of type {kind}")
