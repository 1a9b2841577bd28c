"""YAML front matter of a model card, as the Hugging Face hub reads it: library, task, tags and results.

>>> front_matter(card).splitlines()[:3]
['---', 'library_name: onnx', 'pipeline_tag: image-classification']

Source: https://huggingface.co/docs/hub/model-cards, section "Model card metadata".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from facelet.measure.classification import Classification
from facelet.text import as_text

if TYPE_CHECKING:
    from facelet.measure.card.card import Card, SourceResult

TASKS = {
    "expression": ("image-classification", "Facial expression classification"),
    "identity": ("image-feature-extraction", "Face verification"),
}
"""Task of a model file -> pipeline tag of the hub, and its name in words."""


def front_matter(card: Card) -> str:
    """Returns the YAML block between two lines of dashes, with a line end.

    The licence is "other", because the licences of the training faces, in the card's text, decide.
    """
    tag, task = TASKS[card.info.task]
    name = as_text(card.info.name or card.file)  # some renderers show the block
    content: dict[str, Any] = {
        "library_name": "onnx",
        "pipeline_tag": tag,
        "license": "other",
        "tags": ["facelet", "onnx", "face", card.info.task, card.info.precision],
        "metrics": ["accuracy"],
        "model-index": [{"name": name, "results": [_result(source, tag, task) for source in card.sources]}],
    }
    return f"---\n{yaml.safe_dump(content, sort_keys=False, allow_unicode=True)}---\n"


def _result(source: SourceResult, tag: str, task: str) -> dict[str, Any]:
    split = source.result.split if isinstance(source.result, Classification) else "test"
    dataset = as_text(source.protocol.source)
    return {
        "task": {"type": tag, "name": task},
        "dataset": {"type": dataset, "name": dataset, "split": split},
        "metrics": [{"type": "accuracy", "value": round(float(source.result.accuracy), 4)}],
    }
