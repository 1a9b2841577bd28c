"""All the runtimes, by name, in the order of the table; and what ``--prepare`` can fetch."""

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
from portability.job import Answers, Job, by_worker

Runtime = Callable[[Job], Answers]


def here(job: Job, engine: str, module: str, package: str) -> Answers:
    """A library of this Python on this processor. Raises FaceletError where it is not installed."""
    if not find_spec(module):
        raise FaceletError(f"no module {module}; pip install {package}")
    return by_worker(job, [sys.executable], engine, "this machine")


def onnxruntime(job: Job) -> Answers:
    """What Facelet itself runs models with."""
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
"""Processors of arm64: that of a Raspberry Pi 5, that of a Raspberry Pi 4, and all that QEMU can do. OpenCV 5 has an engine of
its own and that of OpenCV 4; OpenVINO computes floats in bfloat16 where the processor can, unless it is told not to.
"""

PREPARED: dict[str, Callable[[Path], None]] = {"wasm": prepare_wasm, "arm64": prepare_arm64}
