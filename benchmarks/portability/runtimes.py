"""All runtimes by name, in the order of the table, and those that ``--prepare`` can install."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from facelet.errors import FaceletError
from facelet.measure.efficiency.machine import machine
from portability.browser import prepare_wasm, wasm
from portability.emulated import arm64, prepare_arm64, x86_without_vnni
from portability.job import Job, RuntimeOutputs, by_worker

Runtime = Callable[[Job], RuntimeOutputs]


def here(job: Job, engine: str, module: str, package: str) -> RuntimeOutputs:
    """Runs a library of this Python on this processor. Raises FaceletError when it is not installed."""
    if not find_spec(module):
        raise FaceletError(f"no module {module}; pip install {package}")
    return by_worker(job, [sys.executable], engine, "this machine")


def onnxruntime(job: Job) -> RuntimeOutputs:
    """The runtime that Facelet uses."""
    answers = here(job, "onnxruntime", "onnxruntime", "onnxruntime")
    flags = " ".join(machine(0).flags)
    return replace(answers, where=f"this machine: {flags}" if flags else "this machine")


opencv = partial(here, module="cv2", package="opencv-python-headless")
openvino = partial(here, module="openvino", package="openvino")

RUNTIMES: dict[str, Runtime] = {
    "onnxruntime": onnxruntime,
    "x86-no-vnni": x86_without_vnni,
    "arm64": partial(arm64, cpu="cortex-a76", flags="dot products"),
    "arm64-no-dot": partial(arm64, cpu="cortex-a72", flags="no dot products"),
    "arm64-i8mm": partial(arm64, cpu="max", flags="i8mm, sve"),
    "wasm": wasm,
    "opencv-dnn": partial(opencv, engine="opencv"),
    "opencv-classic": partial(opencv, engine="opencv-classic"),
    "openvino": partial(openvino, engine="openvino"),
    "openvino-f32": partial(openvino, engine="openvino-f32"),
}
"""The arm64 processors are those of a Raspberry Pi 5, of a Raspberry Pi 4, and QEMU's maximum. OpenCV 5 has a new engine and the
one of OpenCV 4. OpenVINO computes floats in bfloat16 where the processor supports it, unless configured otherwise.
"""

PREPARED: dict[str, Callable[[Path], None]] = {"wasm": prepare_wasm, "arm64": prepare_arm64}
