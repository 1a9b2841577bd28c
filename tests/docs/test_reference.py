"""The reference pages: everything is on them, with a description, and the schema accepts what Facelet accepts."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

import facelet
from facelet.faces import PAIRS, SOURCES
from facelet.measure.comparison.columns import COLUMNS
from facelet.recipes import presets, schema
from facelet.step import STEPS

DOCS = Path(__file__).parents[2] / "docs"
sys.path.insert(0, str(DOCS / "_ext"))

import facelet_reference  # noqa: E402
import reference_cli  # noqa: E402
import reference_columns  # noqa: E402
import reference_markdown  # noqa: E402
import reference_schema  # noqa: E402
import reference_sources  # noqa: E402
import reference_steps  # noqa: E402


@pytest.mark.parametrize("verb", list(STEPS))
def test_every_key_of_a_step_is_described(verb):
    page = reference_steps.markdown()
    for name, field in STEPS[verb].model_fields.items():
        assert field.description, name
        assert f"\n| `{field.alias or name}` | " in page
    assert f"\n## `{verb}`\n" in f"\n{page}"


@pytest.mark.parametrize("model", [schema.Recipe, schema.FacesChoice, schema.CropChoice])
def test_every_key_of_a_recipe_is_described(model):
    assert all(field.description for field in model.model_fields.values())
    assert all(f"\n| `{name}` | " in reference_steps.recipe_markdown() for name in model.model_fields)


def test_a_step_that_changes_an_inherited_key_lists_it():
    class Mine(STEPS["train"]):
        batch: int = 7

    assert [name for name, _ in reference_steps.own(Mine)] == ["batch"]


@pytest.mark.parametrize("name", [*SOURCES, *PAIRS])
def test_every_option_of_a_source_is_described_on_its_page(name):
    text = (DOCS / "datasets" / f"{name}.md").read_text(encoding="utf-8")
    page = facelet_reference.filled(text)
    options = reference_sources.options(name)
    assert {"size", "channels"} <= options.keys()
    assert ("margin" in options) == (name in SOURCES)
    for option, (kind, _, description) in options.items():
        assert kind, option
        assert description, option
        assert f"\n| `{option}` | " in page


def test_every_command_and_option_is_on_the_page():
    page = reference_cli.markdown()
    names = [name for name, _ in reference_cli.commands()]
    assert {"facelet run", "facelet predict", "facelet gallery list"} <= set(names)
    for name, command in reference_cli.commands():
        section = page.partition(f"## `{name}`\n")[2].partition("\n## ")[0]
        assert command.help.split()[0] in section
        for parameter in command.params:
            assert parameter.opts[0].strip("-").replace("_", "-").lower() in section.lower()


def test_every_column_of_a_comparison_is_on_the_page():
    page = reference_columns.markdown()
    assert all(f"\n| `{name}` | " in page for name in COLUMNS)
    assert "`accuracy_low`" in page


def test_every_marker_is_filled():
    for file in DOCS.rglob("*.md"):
        text = file.read_text(encoding="utf-8")
        assert len(re.findall("<!-- reference", text)) == len(facelet_reference.MARKER.findall(text)), file.name
        assert "<!-- reference" not in facelet_reference.filled(text)
    assert "facelet.Gallery" in facelet_reference.filled("<!-- reference: api -->\n<!-- end -->")
    assert all(name in facelet_reference.filled("<!-- reference: api -->\n<!-- end -->") for name in facelet.__all__)


@pytest.fixture(scope="module")
def validator():
    whole = reference_schema.recipe_schema()
    jsonschema.Draft7Validator.check_schema(whole)
    return jsonschema.Draft7Validator(whole)


@pytest.mark.parametrize("name", [*presets.names(), *(str(file) for file in DOCS.parent.glob("reproduce/*.yaml"))])
def test_the_schema_accepts_every_recipe(name, validator):
    validator.validate(yaml.safe_load(presets.text_of(name)))


@pytest.mark.parametrize(
    ("step", "mistake"),
    [
        ({"do": "trian", "as": "a"}, "trian"),
        ({"do": "train"}, "'as' is a required"),
        ({"do": "train", "as": "a", "epoch": 3}, "epoch"),
        ({"do": "train", "as": "a", "epochs": "many"}, "many"),
        ({"do": "prune", "as": "a", "of": "b", "ratio": 2}, "2"),
        ({"do": "distill", "as": "a", "teacher": "b"}, "teacher"),
    ],
)
def test_the_schema_refuses_mistakes(step, mistake, validator):
    errors = list(validator.iter_errors({"title": "t", "steps": [step]}))
    assert any(mistake in error.message for error in errors)


def test_docstrings_become_markdown():
    text = """Reads a ``b``, see https://a.org/x.

    >>> f(1)
    2

    Args:
        one, two: numbers,
            in order.
        three: a word.

    Raises nothing.
    """
    assert reference_markdown.prose(text) == (
        "Reads a `b`, see <https://a.org/x>.\n\n```pycon\n>>> f(1)\n2\n```\n\nRaises nothing."
    )
    assert reference_markdown.arguments(text) == {
        "one": "numbers, in order",
        "two": "numbers, in order",
        "three": "a word",
    }
