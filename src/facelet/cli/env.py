"""`facelet env`: information for a bug report: versions, machine, and self-tests of the bundled models."""

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
    "psycopg",
    "pgvector",
    "cryptography",
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
    """Print versions, machine and self-tests, for a bug report."""
    print(describe())


def describe() -> str:
    """Text with lines of the form "name: value"."""
    from importlib import metadata  # slow to import, so not at the top of the module

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
    lines += [f"{name}: {_value(name)}" for name in VARIABLES if name in os.environ]
    return "\n".join([*lines, *_checks()])


def _value(name: str) -> str:
    """Value of an environment variable; a gallery's URL without its password."""
    from facelet.runtime.people.storage.location import VARIABLE, shown

    return shown(os.environ[name]) if name == VARIABLE else os.environ[name]


def _checks() -> list[str]:
    """Lines with the self-test result of each bundled model."""
    try:
        from facelet.runtime.check import check_bundled, machine

        lines = [f"int8: {machine()}"]
        for result in check_bundled():
            measured = (
                "" if result.deviation is None else f" (deviation {result.deviation:.2g} of {result.tolerance:.2g})"
            )
            lines.append(f"model {result.name}: {result.verdict}{measured}")
    except Exception as error:  # the report must also work on a broken installation
        lines = [f"models: cannot be checked: {error}"]
    return lines
