"""`facelet env`: what to paste into a bug report: versions, machine, and whether the bundled models compute rightly here."""

from __future__ import annotations

import os
import platform

from facelet import cpu

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


def env() -> None:
    """What to paste into a bug report."""
    print(describe())


def describe() -> str:
    """Lines of "name: value"."""
    from importlib import metadata  # takes a moment, which other commands do without

    lines = [
        f"python: {platform.python_version()}",
        f"system: {platform.platform()}",
        f"processor: {cpu.description()}",
        f"cores: {os.cpu_count()}",
    ]
    for package in PACKAGES:
        try:
            lines.append(f"{package}: {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            lines.append(f"{package}: not installed")
    lines += [f"{name}: {os.environ[name]}" for name in VARIABLES if name in os.environ]
    return "\n".join([*lines, *_checks()])


def _checks() -> list[str]:
    """A line for each model that comes with Facelet: whether it computes rightly here."""
    try:
        from facelet.runtime.check import check_bundled, machine

        lines = [f"int8: {machine()}"]
        for result in check_bundled():
            measured = (
                "" if result.deviation is None else f" (deviation {result.deviation:.2g} of {result.tolerance:.2g})"
            )
            lines.append(f"model {result.name}: {result.verdict}{measured}")
    except Exception as error:  # a bug report is wanted most where nothing works
        lines = [f"models: cannot be checked: {error}"]
    return lines
