"""The front matter of a card is YAML that the hub reads."""

from __future__ import annotations

import pytest
import yaml

from facelet.faces import load
from facelet.measure.card import card as cards
from facelet.measure.card.markdown import markdown


@pytest.mark.slow
def test_the_hub_reads_task_and_results(expression, shades):
    source = f"folder:{shades}"
    text = markdown(cards.measured(expression(name="a: [b]"), faces=[source]))
    _, block, rest = text.split("---\n", 2)
    told = yaml.safe_load(block)
    assert (told["library_name"], told["pipeline_tag"], told["license"]) == ("onnx", "image-classification", "other")
    assert "expression" in told["tags"]
    entry = told["model-index"][0]
    assert entry["name"] == "a: [b]"
    assert entry["results"][0]["dataset"] == {"type": "folder", "name": "folder", "split": "test"}
    assert entry["results"][0]["metrics"] == [{"type": "accuracy", "value": 0.9}]
    assert load(source).protocol.source == "folder"
    assert rest.startswith("\n# a: ")
