"""ONNX Runtime on processors emulated by QEMU: the instructions are exact, the speed is meaningless.

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
from portability.job import Job, RuntimeOutputs, by_worker, failure

X86 = "Haswell"
"""The oldest model with AVX2: no AVX-512 and no VNNI."""
PACKAGES = ("onnxruntime==1.23.2", "numpy==2.4.6")
"""The import of ONNX Runtime 1.32.0 crashes under QEMU 7.2."""
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
"""apt settings that keep its state in a user's folder, so that the system's packages are not changed."""


def x86_without_vnni(job: Job) -> RuntimeOutputs:
    """This Python and its ONNX Runtime. Raises FaceletError off x86-64 and without QEMU."""
    if platform.machine() not in ("x86_64", "AMD64"):
        raise FaceletError(f"emulates this Python on an older x86-64, and this machine is {platform.machine()}")
    qemu = _qemu("x86_64")
    return by_worker(job, [qemu, "-cpu", X86, sys.executable], "onnxruntime", f"{X86} (avx2, no VNNI), emulated", False)


def arm64(job: Job, cpu: str, flags: str) -> RuntimeOutputs:
    """Debian's Python for ARM64 with ONNX Runtime's wheel. ``cpu``: a name of `qemu-aarch64-static -cpu help`."""
    qemu, root = _qemu("aarch64"), job.cache / "arm64"
    if not _ready(root):
        raise FaceletError("not prepared; python benchmarks/portability.py --prepare arm64")
    python = [qemu, "-cpu", cpu, "-L", str(root), f"{root}/usr/bin/python3"]
    env = {**os.environ, "PYTHONPATH": str(root / "wheels")}
    return by_worker(job, python, "onnxruntime", f"{cpu} ({flags}), emulated", False, env)


def prepare_arm64(cache: Path) -> None:
    """Installs Debian's Python for ARM64 and two wheels, 190 MB; needs apt-get and dpkg-deb, but not root.

    Raises FaceletError with the failed command's message.
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
    """Returns a command's output. Raises FaceletError with the last line of its stderr."""
    try:
        ended = subprocess.run(words, capture_output=True, env=env)
    except OSError as error:
        raise FaceletError(f"cannot start {words[0]}: {error.strerror}") from error
    if ended.returncode:
        raise FaceletError(f"{' '.join(words[:3])} failed: {failure(ended)}")
    return ended.stdout.decode()
