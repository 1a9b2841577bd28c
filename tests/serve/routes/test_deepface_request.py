"""Options of DeepFace's API: what is converted, refused, and noted as ignored."""

from __future__ import annotations

import pytest

from facelet.serve.errors import ApiError
from facelet.serve.routes.deepface_request import Options, described


@pytest.mark.parametrize("text", ["true", "True", "TRUE", "1", "yes", "on"])
def test_texts_that_are_true(text):
    assert Options.checked({"enforce_detection": text}).enforce_detection is True


@pytest.mark.parametrize("text", ["false", "False", "0", "no", "off"])
def test_texts_that_are_false(text):
    assert Options.checked({"enforce_detection": text}).enforce_detection is False


@pytest.mark.parametrize(
    "value",
    [["age", "emotion"], '["age", "emotion"]', "['age','emotion']", "(age, emotion)", "age,emotion"],
)
def test_actions(value):
    options = Options.checked({"actions": value})
    assert options.actions == ("age", "emotion")
    assert options.notes == ["actions: age: not predicted"]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"actions": ["age"]}, "only emotion is predicted"),
        ({"actions": ["mood"]}, "actions"),
        ({"actions": {"a": 1}}, "actions"),
        ({"anti_spoofing": True}, "there is no model for it"),
        ({"anti_spoofing": "true"}, "there is no model for it"),
        ({"distance_metric": "manhattan"}, "distance_metric"),
        ({"threshold": "NaN"}, "threshold"),
        ({"threshold": -1}, "threshold"),
        ({"max_faces": 0}, "max_faces"),
        ({"enforce_detection": "maybe"}, "enforce_detection"),
        ({"model_name": ["x"]}, "model_name"),
    ],
)
def test_refused(fields, says):
    with pytest.raises(ApiError) as caught:
        Options.checked(fields)
    assert caught.value.status_code == 400
    assert says in caught.value.detail


def test_ignored_options_are_noted():
    fields = {
        "model_name": "Facenet",
        "align": "false",
        "expand_percentage": "10",
        "silent": "1",
        "normalization": "base",
    }
    notes = Options.checked(fields).notes
    assert [note.split(":")[0] for note in notes] == ["model_name", "align", "expand_percentage"]
    assert Options.checked({"detector_backend": "mtcnn", "unknown": 1, "threshold": "", "max_faces": None}).notes == []


def test_the_document_has_every_option():
    schema = described("img")["requestBody"]["content"]["application/json"]["schema"]
    assert set(schema["properties"]) == {"img", *Options.model_fields}
    assert all("description" in option for option in schema["properties"].values())
