"""docs/compatible.md: the models' names and dimensions are those of the files, and the templates work."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import onnx
import pytest
import yaml
from jinja2 import Environment

import facelet
from facelet.models import bundled
from facelet.runtime.model import prepared
from facelet.serve.routes.compreface_errors import NUMBERS

PAGE = (Path(__file__).parents[2] / "docs" / "compatible.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)


def loader() -> type[yaml.SafeLoader]:
    class Loader(yaml.SafeLoader):
        """Knows Home Assistant's secrets."""

    Loader.add_constructor("!secret", lambda loader, node: f"secret {node.value}")
    return Loader


@pytest.mark.parametrize("config", blocks("protobuf"), ids=lambda config: config.split('"')[1])
def test_the_configurations_for_triton_fit_the_files(config):
    (name,) = re.findall(r'^name: "(\w+)"', config, re.M)
    graph = onnx.load(str(bundled.found(name))).graph
    for kind, (value,) in (("input", graph.input), ("output", graph.output)):
        tensor, dims = re.findall(rf'^{kind} \[ {{ name: "(\w+)" data_type: TYPE_FP32 dims: \[ (.*?) \]', config, re.M)[
            0
        ]
        shape = value.type.tensor_type.shape.dim
        assert tensor == value.name
        assert value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
        assert not shape[0].dim_value, "any batch"
        assert [int(size) for size in dims.split(",")] == [size.dim_value for size in shape[1:]]


def test_the_request_is_what_the_model_runs():
    """The arithmetic of the Python block, with the net in the place of the server."""
    model = facelet.load_model("expression")
    crops = np.random.default_rng(0).integers(0, 256, (3, 80, 80, 3)).astype(np.uint8)
    assert prepared(crops, model.info.input).shape == (3, 3, 64, 64)
    logits = model.logits(crops) / model.info.temperature
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert np.allclose(probabilities, model.probabilities(crops), atol=1e-6)


def test_the_files_for_other_programs_parse():
    double_take, compose, home_assistant = (yaml.load(text, loader()) for text in blocks("yml"))
    assert double_take["detectors"]["compreface"]["url"] == "http://facelet:8000"
    assert set(compose["services"]) == {"facelet", "double-take"}
    assert home_assistant["automation"][0]["actions"][0]["action"] == "camera.snapshot"
    assert [json.loads(text)["model_config_list"][0]["config"]["name"] for text in blocks("json")] == ["expression"]


def test_the_template_of_home_assistant():
    home_assistant = yaml.load(blocks("yml")[-1], loader())
    template = Environment().from_string(home_assistant["command_line"][0]["sensor"]["value_template"])

    def said(*faces: list[tuple[str, float]]) -> str:
        result = [{"subjects": [{"subject": name, "similarity": score} for name, score in face]} for face in faces]
        return template.render(value_json={"result": result}).strip()

    assert said([("Anna", 0.9)], [("Bo", 0.2)]) == "Anna"
    assert said([("Anna", 0.9)], [("Bo", 0.5)]) == "Anna, Bo"
    assert said([("Anna", 0.49)]) == said([]) == "unknown"
    assert (
        template.render(value_json={"message": "No face is found in the given image", "code": 28}).strip() == "nobody"
    )


def test_every_number_of_an_error_is_named():
    (text,) = re.findall(r"Errors have CompreFace's numbers: (.*?)\n\n", PAGE, re.S)
    assert {int(number) for number in re.findall(r"\b(\d+) ", text.split("; 0 ")[0])} == {
        number.code for number in NUMBERS.values()
    }
