"""The models that come with Facelet, on ordinary photos: detector, crop and model together."""

from __future__ import annotations

import zipfile

import cv2
import pytest

import facelet
from facelet.io import pixels

pytestmark = pytest.mark.real

SMILING = tuple(f"faces/fr_{name}.jpg" for name in ("obama", "obama-240p", "alex_lacamoire1", "obama_partial_face"))
SERIOUS = ("faces/fr_biden.jpg", "faces/fr_johnsnow_test1.jpg", "verify/kit_harington_john2.jpeg")


@pytest.fixture(autouse=True)
def _detector(yunet, monkeypatch):
    monkeypatch.setenv("FACELET_YUNET", str(yunet))


@pytest.fixture(scope="module")
def photo(real):
    with zipfile.ZipFile(real("photos.zip")) as album:
        yield lambda name: album.read(f"photos/{name}")


@pytest.mark.parametrize("model", ["expression", "expression-fp32", "expression-tiny", "expression-tiny-fp32"])
def test_who_smiles(photo, model):
    for name in SMILING + SERIOUS:
        (face,) = facelet.analyze(photo(name), model)
        assert (face.expression == "happiness") == (name in SMILING), name


def test_a_tiny_face_is_flagged(photo):
    """A face below the size that the model was measured for is answered with a warning."""
    whole = pixels.decode(photo("faces/fr_obama.jpg"), "photo")
    (large,) = facelet.analyze(whole)
    (small,) = facelet.analyze(cv2.resize(whole, None, fx=0.11, fy=0.11, interpolation=cv2.INTER_AREA))
    assert max(small.box[2:]) < 48 < min(large.box[2:])
    assert small.warnings
    assert not large.warnings


@pytest.mark.parametrize("model", ["identity", "identity-fp32"])
def test_who_is_who(photo, model):
    obama, again = photo("verify/obama_obama.jpg"), photo("verify/obama_obama2.jpg")
    kit, john = photo("verify/kit_harington_john1.jpeg"), photo("verify/kit_harington_john2.jpeg")
    biden = photo("verify/biden_biden.jpg")
    assert facelet.verify(obama, again, model).same
    assert facelet.verify(kit, john, model).same
    for a, b in ((obama, biden), (kit, obama), (john, biden)):
        assert not facelet.verify(a, b, model).same
