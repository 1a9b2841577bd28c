"""``import facelet`` is light, the runtime never loads the training side, and the public names are what they say."""

from __future__ import annotations

import subprocess
import sys

import pytest

import facelet

HEAVY = ("torch", "cv2", "onnxruntime", "numpy", "pydantic", "rich", "typer", "pooch")
TRAINING = ("torch", "torchvision", "lightning", "timm", "onnx", "scipy", "sklearn", "matplotlib", "safetensors")


def loaded_after(code: str) -> set[str]:
    told = "import sys; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    run = subprocess.run([sys.executable, "-c", f"{code}\n{told}"], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_import_facelet_brings_nothing():
    assert loaded_after("import facelet, facelet.errors, facelet.models.bundled; dir(facelet)").isdisjoint(HEAVY)


@pytest.mark.parametrize(
    "code",
    [
        "import facelet; facelet.analyze, facelet.load, facelet.Face, facelet.Model, facelet.Analyzer",
        "import facelet; facelet.verify, facelet.Gallery, facelet.Verification",
        "from facelet.runtime import crop, check; from facelet.runtime.media import photos, predictions, watch; "
        "from facelet.runtime.people import gallery, verify; from facelet.runtime.drawing import draw",
        "import facelet.cli.app",
        "import facelet; facelet.FacePredictor",
    ],
)
def test_the_runtime_brings_nothing_of_training(code):
    assert loaded_after(code).isdisjoint(TRAINING)


def test_only_the_service_brings_its_extra():
    extra = {"fastapi", "starlette", "uvicorn", "prometheus_client", "python_multipart"}
    assert loaded_after("import facelet.cli.app, facelet.runtime.people.gallery").isdisjoint(extra)


def test_the_service_brings_nothing_of_training():
    assert loaded_after("import facelet.serve.server").isdisjoint(TRAINING)


def test_ready_crops_do_not_need_the_downloader():
    assert "pooch" not in loaded_after("import facelet.runtime.media.predictions, facelet.runtime.detector")


def test_public_names():
    from facelet.runtime.face import Face
    from facelet.runtime.model import Model
    from facelet.runtime.people.gallery import Gallery
    from facelet.runtime.people.verify import verify

    assert facelet.Face is Face
    assert facelet.Gallery is Gallery
    assert facelet.verify is verify
    assert facelet.load == facelet.load_model == Model.load
