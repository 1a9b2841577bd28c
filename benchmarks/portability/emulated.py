"""ONNX Runtime on processors that this machine does not have, emulated by QEMU: their instructions are real, their speed is not.

An 8-bit product that saturates is seen here: QEMU computes VPMADDUBSW as the processor does.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from facelet.errors import FaceletError
from portability.job import Answers, Job, by_worker, failure

X86 = "Haswell"
"""The oldest model with AVX2: no AVX-512 and no VNNI."""
PACKAGES = ("onnxruntime==1.23.2", "numpy==2.4.6")
"""Of ONNX Runtime 1.32.0 the import crashes under QEMU 7.2."""
WHEELS = ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64")
APT = """
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Install-Recommends "false";
Dir::State "FOLDER/state";
Dir::State::status "FOLDER/status";
Dir::Cache "FOLDER/cache";
Debug::NoLocking "true";
"""
"""Settings of an apt that keeps its books in a folder of the user, so that the system's packages stay as they are."""


def x86_without_vnni(job: Job) -> Answers:
    """This Python and its ONNX Runtime. Raises FaceletError off x86-64 and without QEMU."""
    if platform.machine() not in ("x86_64", "AMD64"):
        raise FaceletError(f"emulates this Python on an older x86-64, and this machine is {platform.machine()}")
    qemu = _qemu("x86_64")
    return by_worker(job, [qemu, "-cpu", X86, sys.executable], "onnxruntime", f"{X86} (avx2, no VNNI), emulated", False)


def arm64(job: Job, cpu: str, flags: str) -> Answers:
    """Debian's Python for ARM64 with ONNX Runtime's wheel. ``cpu``: a name of `qemu-aarch64-static -cpu help`."""
    qemu, root = _qemu("aarch64"), job.cache / "arm64"
    if not _ready(root):
        raise FaceletError("not prepared; python benchmarks/portability.py --prepare arm64")
    python = [qemu, "-cpu", cpu, "-L", str(root), f"{root}/usr/bin/python3"]
    env = {**os.environ, "PYTHONPATH": str(root / "wheels")}
    return by_worker(job, python, "onnxruntime", f"{cpu} ({flags}), emulated", False, env)


def prepare_arm64(cache: Path) -> None:
    """Debian's Python for ARM64 and two wheels into a folder, 190 MB; needs apt-get and dpkg-deb, not root.

    Raises FaceletError with what failed.
    """
    qemu = _qemu("aarch64")
    place, root = cache / "arm64.part", cache / "arm64"
    if _ready(root):
        return
    for folder in (place, root):
        shutil.rmtree(folder, ignore_errors=True)
    for name in (
        "apt/state/lists/partial",
        "apt/cache/archives/partial",
        "root/usr/lib",
        "root/usr/bin",
        "root/usr/sbin",
    ):
        (place / name).mkdir(parents=True)
    for name in ("lib", "bin", "sbin"):  # some packages still have /lib, others /usr/lib
        (place / "root" / name).symlink_to(f"usr/{name}")
    (place / "apt" / "status").touch()
    (place / "apt" / "apt.conf").write_text(APT.replace("FOLDER", str(place.resolve() / "apt")))
    env = {**os.environ, "APT_CONFIG": str(place / "apt" / "apt.conf")}
    _run(["apt-get", "update"], env)
    _run(["apt-get", "install", "-y", "--download-only", "python3", "libstdc++6"], env)
    for package in sorted((place / "apt" / "cache" / "archives").glob("*.deb")):
        tar = subprocess.run(["dpkg-deb", "--fsys-tarfile", str(package)], capture_output=True)
        unpack = ["tar", "-x", "--keep-directory-symlink", "--no-same-owner", "-C", str(place / "root")]
        if tar.returncode or subprocess.run(unpack, input=tar.stdout, capture_output=True).returncode:
            raise FaceletError(f"cannot unpack {package}")
    python = [qemu, "-L", str(place / "root"), str(place / "root/usr/bin/python3")]
    version = _run([*python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], dict(os.environ)).strip()
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    platforms = [word for wheel in WHEELS for word in ("--platform", wheel)]
    where = ["--only-binary=:all:", "--python-version", version, "--target", str(place / "root" / "wheels")]
    _run([*pip, *platforms, *where, *PACKAGES], dict(os.environ))
    (place / "root").rename(root)
    shutil.rmtree(place)


def _ready(root: Path) -> bool:
    return (root / "wheels" / "onnxruntime").is_dir()


def _qemu(processor: str) -> str:
    name = f"qemu-{processor}-static"
    place = shutil.which(name) or shutil.which(f"qemu-{processor}")
    if not place:
        raise FaceletError(f"no {name}; apt-get install qemu-user-static")
    return place


def _run(words: list[str], env: dict[str, str]) -> str:
    """What a command prints. Raises FaceletError with the last line of its errors."""
    try:
        ended = subprocess.run(words, capture_output=True, env=env)
    except OSError as error:
        raise FaceletError(f"cannot start {words[0]}: {error.strerror}") from error
    if ended.returncode:
        raise FaceletError(f"{' '.join(words[:3])} failed: {failure(ended)}")
    return ended.stdout.decode()
