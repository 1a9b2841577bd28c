"""What to paste into a bug report: versions and machine, without importing the training side."""

from __future__ import annotations

import os
import platform
from importlib import metadata

PACKAGES = (
    "facelet",
    "numpy",
    "onnxruntime",
    "opencv-python-headless",
    "torch",
    "torchvision",
    "lightning",
    "timm",
    "onnx",
    "onnxscript",
    "torch-pruning",
)
VARIABLES = (
    "FACELET_MODEL",
    "FACELET_IDENTITY_MODEL",
    "FACELET_GALLERY",
    "FACELET_YUNET",
    "FACELET_DATA",
    "OMP_NUM_THREADS",
    "CUDA_VISIBLE_DEVICES",
)


def describe() -> str:
    """Lines of "name: value"."""
    lines = [f"python: {platform.python_version()}", f"system: {platform.platform()}", f"cores: {os.cpu_count()}"]
    for package in PACKAGES:
        try:
            lines.append(f"{package}: {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            lines.append(f"{package}: not installed")
    lines += [f"{name}: {os.environ[name]}" for name in VARIABLES if name in os.environ]
    return "\n".join(lines)
