"""README and docs: commands parse, recipes are valid, Python runs, links lead somewhere. See tests/docs for the reference."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from unittest.mock import create_autospec

import numpy as np
import pytest
import torch
import typer
import yaml

import facelet
from facelet import nets
from facelet.cli.app import app
from facelet.faces import SOURCES, load
from facelet.io import pixels
from facelet.learn.tasks.distillation_losses import TERMS
from facelet.measure.comparison.compare import compare
from facelet.nets import NETS
from facelet.recipes import schema
from facelet.runtime import detector
from facelet.step import STEPS

ROOT = Path(__file__).parents[1]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *(page for page in sorted((ROOT / "docs").rglob("*.md")) if page.parent.name != "models"),
]
"""Cards of models are made by `facelet card`, and tested with it."""
TEXTS = {page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8") for page in PAGES}


def blocks(language: str) -> list[tuple[str, str]]:
    return [
        (name, text) for name, page in TEXTS.items() for text in re.findall(rf"```{language}\n(.*?)```", page, re.S)
    ]


def commands() -> list[str]:
    lines = [line for _, block in blocks("bash") for line in block.splitlines() if line.startswith("facelet ")]
    pages = "\n".join(re.sub(r"```.*?```", "", page, flags=re.S) for page in TEXTS.values())
    lines += re.findall(r"`((?:torchrun [^`]* -m facelet\.cli|facelet) [^`]+)`", pages)
    return sorted({line.replace("\\|", "|") for line in lines})


def test_the_pages_have_something_to_test():
    assert len(commands()) > 15
    assert len(blocks("python")) > 5


@pytest.mark.parametrize("line", commands())
def test_every_command_parses(line):
    words = shlex.split(
        re.sub(r"[\[\]]|\.\.\.", "", re.sub(r"^torchrun .* -m facelet\.cli", "facelet", line)), comments=True
    )
    group = typer.main.get_command(app)
    assert words[1] in group.commands
    if len(words) > 2:  # "`facelet faces` counts" speaks of the verb
        group.commands[words[1]].make_context(words[1], words[2:])
        assert "?" not in line or f"'{next(word for word in words if '?' in word)}'" in line, (
            "the shell would read the ?"
        )


@pytest.mark.parametrize(("name", "text"), blocks("yaml"))
def test_every_recipe_is_valid(name, text):
    assert schema.check(yaml.safe_load(text), name).steps


@pytest.mark.parametrize(("name", "text"), blocks("python"))
def test_every_python_block_runs(name, text, monkeypatch):
    face = facelet.Face((0.0, 0.0, 9.0, 9.0), 1.0, expression="happiness", probabilities={"happiness": 1.0})
    monkeypatch.setattr(facelet, "analyze", create_autospec(facelet.analyze, return_value=[face]))
    analyzer = create_autospec(facelet.Analyzer)
    analyzer.return_value.cropped.return_value = [face]
    monkeypatch.setattr(facelet, "Analyzer", analyzer)
    monkeypatch.setattr(pixels, "read", lambda path: np.zeros((9, 9, 3), np.uint8))
    monkeypatch.setattr(facelet, "Detector", create_autospec(detector.Detector))
    monkeypatch.setattr(facelet, "verify", create_autospec(facelet.verify))
    gallery = create_autospec(facelet.Gallery)
    gallery.return_value.__enter__.return_value.identify.return_value = [facelet.Match(face, "Anna", 0.7)]
    monkeypatch.setattr(facelet, "Gallery", gallery)
    monkeypatch.setattr("facelet.measure.comparison.compare.compare", create_autospec(compare))
    for registry in (NETS, SOURCES, STEPS, TERMS):
        monkeypatch.setattr(registry, "_entries", dict(registry._entries))
    exec(compile(text, name, "exec"), {"__name__": "page"})
    if '"tiny"' in text:
        net = nets.resolve("tiny", classes=3, size=16, channels=1, mean=(0.5,), std=(0.2,), width=4).build()
        assert net(torch.zeros(2, 1, 16, 16)).shape == (2, 3)
    if '"noise"' in text:
        assert np.array_equal(np.unique(load("noise:here?faces=30").splits), [0, 1, 2])


@pytest.mark.parametrize("name", TEXTS)
def test_every_relative_link_leads_to_a_file(name):
    text = re.sub(r"```.*?```|`[^`\n]*`", "", TEXTS[name], flags=re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        file, _, heading = target.partition("#")
        if not re.match(r"https?:", target):
            page = (ROOT / name).parent / file if file else ROOT / name
            assert page.exists(), target
            assert not heading or heading in headings(page.read_text(encoding="utf-8")), target


def headings(text: str) -> set[str]:
    """Anchors of a page, as code hosts and MyST name them."""
    lines = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


def test_the_settings_most_used_are_taken():
    """Each of the short table, laid over a recipe of Facelet's."""
    table = TEXTS["docs/make-a-model.md"].partition("The settings most used")[2].partition("\n## ")[0]
    settings = re.findall(r"`--set ([^`]+)`", table)
    assert len(settings) == 10
    for setting in settings:
        assert schema.load("tsnet", settings=[setting]).steps
