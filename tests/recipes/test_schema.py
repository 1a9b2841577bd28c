"""Recipes: every mistake is named at once, with the nearest valid key."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from facelet.errors import FaceletError
from facelet.recipes import presets, runner, schema  # noqa: F401  (the runner brings the steps)

BENCHMARKS = sorted((Path(__file__).parents[2] / "reproduce").glob("*.yaml"))
PLAIN = {
    "title": "mine",
    "steps": [{"do": "train", "as": "net", "net": "shufflenet-v2", "epochs": 1}],
}


@pytest.mark.parametrize("name", presets.names())
def test_every_shipped_recipe_is_valid_in_every_profile(name):
    recipe = schema.load(name)
    assert recipe.steps
    for profile in recipe.profiles:
        assert schema.load(name, profile=profile).steps


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_the_benchmarks_recipes_are_valid(path):
    assert schema.load(str(path)).steps


def test_no_shipped_recipe_asks_for_a_precision():
    """What is quick on one machine is slow on another: `auto` decides where the recipe is run."""
    recipes = [schema.load(str(path)) for path in BENCHMARKS]
    for name in presets.names():
        recipes += [schema.load(name, profile=profile) for profile in ("", *schema.load(name).profiles)]
    for recipe in recipes:
        asked = {step.name: step.precision for step, _ in recipe.all_steps() if hasattr(step, "precision")}
        assert set(asked.values()) <= {"auto"}, (recipe.title, asked)


@pytest.mark.parametrize("name", presets.names())
def test_a_dumped_recipe_reads_back_the_same(name, tmp_path):
    recipe = schema.load(name, profile="toy")
    path = tmp_path / "recipe.yaml"
    path.write_text(schema.dump(recipe))
    again = schema.load(str(path))
    assert again == recipe.model_copy(update={"profiles": {}})
    assert "warmup: 0.1" in schema.dump(recipe)  # a default is written out too


def test_all_mistakes_are_named_at_once_with_the_nearest_key():
    raw = {**PLAIN, "titel": "x", "steps": [{"do": "trian", "as": "a"}, {"do": "train", "as": "b", "epoch": 3}]}
    with pytest.raises(FaceletError) as caught:
        schema.check(raw)
    text = str(caught.value)
    assert "did you mean 'title'" in text
    assert "did you mean 'train'" in text
    assert "did you mean 'epochs'" in text


def test_a_step_must_name_a_model_that_stands_before_it():
    raw = {**PLAIN, "steps": [*PLAIN["steps"], {"do": "quantize", "as": "small", "of": "nett"}]}
    with pytest.raises(FaceletError, match="no model 'nett' before it, did you mean 'net'"):
        schema.check(raw)


def test_what_makes_faces_has_no_row_to_compare():
    made = {"do": "balance", "as": "made", "teacher": "net", "steps": 1, "against": "net"}
    with pytest.raises(FaceletError, match=r"steps.made.against: it makes faces, and has no row"):
        schema.check({**PLAIN, "steps": [*PLAIN["steps"], made]})


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ({"do": "quantize", "as": "small", "of": "made"}, "there is no model 'made' before it"),
        (
            {"do": "train", "as": "b", "net": "vgg11", "epochs": 1, "synthetic": "mad"},
            "step that makes faces, 'mad' .*'made'",
        ),
        (
            {"do": "train", "as": "b", "net": "vgg11", "epochs": 1, "synthetic": "net"},
            "step that makes faces, 'net' before",
        ),
        ({"do": "train", "as": "b", "net": "vgg11", "epochs": 1, "against": "made"}, "no other model 'made'"),
    ],
)
def test_faces_and_models_are_not_taken_for_each_other(step, said):
    made = {"do": "balance", "as": "made", "teacher": "net", "steps": 1}
    with pytest.raises(FaceletError, match=said):
        schema.check({**PLAIN, "steps": [*PLAIN["steps"], made, step]})


def test_a_mistake_in_a_step_is_not_told_again_by_those_after_it():
    with pytest.raises(FaceletError) as caught:
        schema.load("tsnet", settings=["steps.teacher.epoch=3"])
    assert "did you mean 'epochs'" in str(caught.value)
    assert "before it" not in str(caught.value)


def test_two_models_of_one_name_are_refused():
    with pytest.raises(FaceletError, match="already makes a model of that name"):
        schema.check({**PLAIN, "steps": PLAIN["steps"] * 2})


@pytest.mark.parametrize("name", ["../evil", ".hidden", "a/b", "", 3])
def test_a_models_name_is_a_plain_name(name):
    with pytest.raises(FaceletError, match="is not a valid model name"):
        schema.check({**PLAIN, "steps": [{**PLAIN["steps"][0], "as": name}]})


def test_yaml_that_is_hostile_or_broken_is_an_error(tmp_path):
    path = tmp_path / "bad.yaml"
    bombs = ["a: [", "- 1", "a: &a [x]\nb: [*a, *a]", "title: !!python/object/apply:os.system ['true']\nsteps: []"]
    step = "{do: train, as: a, net: resnet18, epochs: 1}"
    bombs += ["title: x\nsteps: 5", f"title: 2024-13-01\nsteps: [{step}]", f"title: x\ntitle: y\nsteps: [{step}]"]
    bombs += ["title: x\nsteps: [{do: train, as: a, net: resnet18, epochs: 1, epochs: 2}]"]
    for text in bombs:
        path.write_text(text)
        with pytest.raises(FaceletError):
            schema.load(str(path))
    with pytest.raises(FaceletError, match="cannot read recipe"):
        schema.load(str(tmp_path / "none.yaml"))
    with pytest.raises(FaceletError, match="did you mean 'tsnet'"):
        schema.load("tsnett")


def test_the_catalogue_is_yaml_with_titles():
    for name in presets.names():
        assert yaml.safe_load(presets.text_of(name))["title"]


def test_some_steps_alone_bring_what_they_need():
    recipe = schema.load("rescaps")
    for names, steps, controls in (
        (["linear"], ["plain", "linear"], []),
        (["pruned-int8"], ["plain", "linear", "made", "balanced", "pruned", "pruned-int8"], []),
        (["early-random"], ["plain", "early-pruned"], ["early-random"]),
    ):
        some = schema.only(recipe, names)
        assert [step.name for step in some.steps] == steps
        assert [step.name for step in some.controls] == controls
    with pytest.raises(FaceletError, match="did you mean 'linear'"):
        schema.only(recipe, ["liner"])
    with pytest.raises(FaceletError, match="these are controls"):
        schema.only(schema.load("tsnet"), ["student-alone"])


def test_a_crop_that_no_model_file_takes_is_refused_before_training(tmp_path):
    path = tmp_path / "wide.yaml"
    path.write_text("title: wide\ncrop: {margin: 3}\nsteps:\n  - {do: train, as: net, net: resnet18, epochs: 1}\n")
    with pytest.raises(FaceletError, match=r"crop\.margin"):
        schema.load(str(path))
