"""Shared by all tests: one thread a process, where the real faces and YuNet's file are, and how long an unmarked test may take."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from time import perf_counter  # tests replace time.perf_counter

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # int8_reference

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

YUNET = "face_detection_yunet_2023mar_int8bq.onnx"


SECONDS = float(os.environ.get("FACELET_TEST_SECONDS", "2"))
"""What a test without the marker ``slow`` may take, of processor time, so that a busy machine fails none."""


def _processor_time() -> float:
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    start, busy = perf_counter(), _processor_time()
    result = yield
    spent = min(perf_counter() - start, _processor_time() - busy)
    item.user_properties.append(("seconds", round(spent, 3)))
    if spent > SECONDS and item.get_closest_marker("slow") is None:
        pytest.fail(f"took {spent:.1f} s; make it quicker, or mark it: @pytest.mark.slow", pytrace=False)
    return result


def real_data(name: str) -> Path:
    """A pack of real faces by file name, or a skip that says where it was looked for."""
    places = [os.environ.get("FACELET_DATA"), Path(__file__).parents[1] / "../shared/data"]
    for place in filter(None, places):
        if (path := Path(place) / name).exists():
            return path
    pytest.skip(f"{name} is in neither FACELET_DATA nor ../shared/data")


@pytest.fixture(scope="session")
def real():
    """``real("ferplus.zip")`` is a path, or skips the test."""
    return real_data


@pytest.fixture(scope="session")
def yunet() -> Path:
    """YuNet's file, or a skip that says where it was looked for."""
    places = [os.environ.get("FACELET_YUNET", ""), Path(__file__).parents[1] / ".cache" / YUNET]
    for place in filter(None, places):
        if Path(place).is_file():
            return Path(place)
    pytest.skip(f"{YUNET} is neither FACELET_YUNET nor in .cache")


@pytest.fixture(scope="session")
def photos_folder(real, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    with zipfile.ZipFile(real("photos.zip")) as pack:
        pack.extractall(folder)
    return folder / "photos"


@pytest.fixture(scope="session")
def benchmark_script():
    """``benchmark_script("ship")`` is reproduce/ship.py as a module; measurements lie in benchmarks/."""

    def load(name: str):
        root = Path(__file__).parents[1]
        path = next(p for folder in ("benchmarks", "reproduce") if (p := root / folder / f"{name}.py").exists())
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


KILLED = """
import os, pathlib, signal

plain, left = pathlib.Path.replace, int(os.environ["KILLED_AT_WRITE"])

def replace(path, target):
    global left
    found = plain(path, target)
    left -= str(target) == os.environ["KILLED_BY"]
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return found

pathlib.Path.replace = replace
"""
"""Ends the process at once when it has written a file for the n-th time: no test need be quick enough to catch it."""


@pytest.fixture
def killed():
    """``killed(code, arguments, path, write=1)`` runs Python code in a process that SIGKILL ends after a write of ``path``."""

    def run(code: str, arguments: list[str], path: Path, write: int = 1) -> None:
        environment = {**os.environ, "KILLED_BY": str(path), "KILLED_AT_WRITE": str(write)}
        command = [sys.executable, "-c", KILLED + code, *map(str, arguments)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == -signal.SIGKILL, f"it ended by itself: {done.stdout}{done.stderr}"

    return run


@pytest.fixture
def shelf(tmp_path_factory, monkeypatch):
    """An empty folder in place of that of the models that come with Facelet."""
    folder = tmp_path_factory.mktemp("shelf")
    (folder / "models.json").write_text("[]\n")
    monkeypatch.setattr("facelet.models.bundled.FOLDER", folder)
    return folder


@pytest.fixture
def small_lfw(tmp_path):
    """``small_lfw(folds=2, each=3)`` is a folder laid out as LFW: two photos of one colour for each person, and pairs.txt."""
    import cv2
    import numpy as np

    def make(folds: int = 2, each: int = 3, size: int = 112, name: str = "lfw") -> Path:
        people = [f"Person_{chr(65 + number // 26)}{chr(97 + number % 26)}" for number in range(folds * each)]
        rng = np.random.default_rng(0)
        lines = [f"{folds}\t{each}"]
        for fold in range(folds):
            here = people[fold * each : (fold + 1) * each]
            lines += [f"{person}\t1\t2" for person in here]
            lines += [f"{person}\t1\t{here[(at + 1) % each]}\t2" for at, person in enumerate(here)]
        for person in people:
            colour = rng.integers(20, 230, 3)
            for number in (1, 2):
                photo = np.clip(colour + rng.normal(0, 8, (size, size, 3)), 0, 255).astype(np.uint8)
                path = tmp_path / name / person / f"{person}_{number:04d}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(cv2.imencode(".png", photo[..., ::-1])[1].tobytes())
        (tmp_path / name / "pairs.txt").write_text("\n".join(lines) + "\n")
        return tmp_path / name

    return make
