"""Small made-up faces on disk: images that differ, folders of classes, the same as a zip."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest

from facelet.faces import FaceSet


def picture(name: str, size: int = 48, channels: int = 1) -> np.ndarray:
    """A smooth picture (size, size, channels) that only its name decides."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    coarse = rng.integers(0, 256, (6, 6, channels), np.uint8)
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_LINEAR).reshape(size, size, channels)


def encoded(image: np.ndarray, suffix: str = ".png") -> bytes:
    return cv2.imencode(suffix, image[..., ::-1])[1].tobytes()


@pytest.fixture
def lay_out(tmp_path: Path) -> Callable[..., Path]:
    """``lay_out(["happy/1.png", ...])`` is a folder with those images; ``channels`` 1 or 3."""

    def make(files: Iterable[str], channels: int = 1, size: int = 48, name: str = "faces") -> Path:
        for file in files:
            path = tmp_path / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encoded(picture(file, size, channels), path.suffix))
        return tmp_path / name

    return make


@pytest.fixture
def zipped() -> Callable[[Path], Path]:
    """``zipped(folder)`` is a zip beside it that holds the folder under its own name."""

    def make(folder: Path) -> Path:
        path = folder.with_suffix(".zip")
        with zipfile.ZipFile(path, "w") as packed:
            for file in sorted(folder.rglob("*")):
                if file.is_file():
                    packed.write(file, file.relative_to(folder.parent).as_posix())
        return path

    return make


@pytest.fixture
def face_set() -> Callable[..., FaceSet]:
    """``face_set(30)`` has 30 different faces of three classes in the three splits, with all a FaceSet can carry."""

    def make(count: int = 30, channels: int = 1, size: int = 24) -> FaceSet:
        labels = np.arange(count) % 3
        votes = np.eye(3, dtype=np.float32)[labels] * 0.75 + 0.25 / 3
        return FaceSet(
            images=np.stack([picture(f"{number}", size, channels) for number in range(count)]),
            labels=labels.astype(np.int64),
            splits=np.sort(np.arange(count) % 5 % 3).astype(np.int8),
            names=np.array([f"é/{number}.png" for number in range(count)]),
            classes=("anger", "fear", "joy"),
            source="somewhere",
            votes=(votes / votes.sum(axis=1, keepdims=True)).astype(np.float32),
            identities=np.arange(count, dtype=np.int64) % 7 - 1,
            groups=np.arange(count, dtype=np.int64),
            agreement=np.linspace(0.5, 1, count, dtype=np.float32),
            rule="majority",
            notes=("made up", "three classes"),
            licence="none",
        )

    return make
