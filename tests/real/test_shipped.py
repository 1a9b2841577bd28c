"""The models that come with Facelet, on ordinary photos: detector, crop and model together."""

from __future__ import annotations

import zipfile

import pytest

import facelet

pytestmark = pytest.mark.real

SMILING = {
    "faces/fr_obama.jpg": 1,
    "faces/fr_obama-240p.jpg": 1,
    "faces/fr_alex_lacamoire1.jpg": 1,
    "faces/fr_obama_partial_face.jpg": 1,
}
"""Photos and how many people smile in them, everyone whom the detector finds at its usual threshold."""

SERIOUS = ("faces/fr_biden.jpg", "faces/fr_johnsnow_test1.jpg", "verify/kit_harington_john2.jpeg")


@pytest.fixture(scope="module")
def photo(real):
    with zipfile.ZipFile(real("photos.zip")) as album:
        yield lambda name: album.read(f"photos/{name}")


@pytest.mark.parametrize("model", ["expression", "expression-fp32"])
def test_who_smiles(photo, model):
    for name, people in SMILING.items():
        faces = facelet.analyze(photo(name), model)
        assert [face.expression for face in faces if face.box[2] >= 48] == ["happiness"] * people, name
    for name in SERIOUS:
        (face,) = facelet.analyze(photo(name), model)
        assert face.expression != "happiness", name


def test_a_tiny_face_is_flagged(photo):
    """A face below the size that the model was measured for is answered with a warning."""
    faces = facelet.analyze(photo("faces/fr_obama_and_biden.jpg"))
    assert all(bool(face.warnings) == (min(face.box[2:]) < 48) for face in faces)


@pytest.mark.parametrize("model", ["identity", "identity-fp32"])
def test_who_is_who(photo, model):
    obama, again = photo("verify/obama_obama.jpg"), photo("verify/obama_obama2.jpg")
    kit, john = photo("verify/kit_harington_john1.jpeg"), photo("verify/kit_harington_john2.jpeg")
    biden = photo("verify/biden_biden.jpg")
    assert facelet.verify(obama, again, model).same
    assert facelet.verify(kit, john, model).same
    for a, b in ((obama, biden), (kit, obama), (john, biden)):
        assert not facelet.verify(a, b, model).same
