"""docs/crop.md: its code and its golden vector are the crop that the runtime cuts."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facelet.models.model_file import CropInfo
from facelet.runtime import align

DOCS = Path(__file__).parents[2] / "docs"
GOLDEN = json.loads((DOCS / "crop.json").read_text())
NO_POINTS = np.zeros((5, 2), np.float32)


def code(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", (DOCS / "crop.md").read_text(), re.S)
    return found


@pytest.fixture(scope="module")
def script(benchmark_script):
    return benchmark_script("crop_reference")


@pytest.fixture(scope="module")
def page() -> dict:
    names: dict = {}
    exec(code("python"), names)
    return names


def test_the_golden_vector_is_the_runtimes(script):
    ours = json.loads(script.as_text(script.golden()))
    assert ours.keys() == GOLDEN.keys()
    for kind in ("boxes", "landmarks"):
        for now, written in zip(ours[kind], GOLDEN[kind], strict=True):
            near = {"resized_red": 1, "corners": 1e-3}
            assert {key: now[key] for key in now if key not in near} == {
                key: written[key] for key in written if key not in near
            }
            for key in near.keys() & now.keys():
                np.testing.assert_allclose(now[key], written[key], atol=near[key])


@pytest.mark.parametrize("case", GOLDEN["boxes"], ids=lambda case: case["what"])
def test_the_python_code_gives_the_golden_vector(page, script, case):
    cut = page["crop"](script.pattern(), case["box"], case["margin"])
    assert page["square"](case["box"], case["margin"]) == (case["left"], case["top"], case["side"])
    assert zlib.crc32(np.ascontiguousarray(cut).tobytes()) == case["crc32"]
    assert cut[0, :4].tolist() == case["first_row"]


@given(st.tuples(st.floats(-90, 120), st.floats(-90, 120), st.floats(0.5, 90), st.floats(0.5, 90)), st.floats(-0.4, 1))
def test_the_python_code_is_the_runtimes_crop(page, script, box, margin):
    cut = page["crop"](script.pattern(), box, margin)
    np.testing.assert_array_equal(cut, align.cut(script.pattern(), box, NO_POINTS, CropInfo(margin=margin), len(cut)))


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_the_javascript_code_gives_the_golden_vector(script):
    asked = [[case["box"], case["margin"]] for case in GOLDEN["boxes"]]
    height, width, channels = script.pattern().shape
    ask = f"""
const photo = Uint8Array.from({script.pattern().ravel().tolist()});
console.log(JSON.stringify({json.dumps(asked)}.map(([box, margin]) => [
  square(box, margin), Array.from(crop(photo, {width}, {height}, {channels}, box, margin))])));
"""
    run = subprocess.run(["node", "-"], input=code("javascript") + ask, capture_output=True, text=True, check=True)
    for (square, cut), case in zip(json.loads(run.stdout), GOLDEN["boxes"], strict=True):
        assert square == {key: case[key] for key in ("left", "top", "side")}
        assert zlib.crc32(bytes(cut)) == case["crc32"]


@pytest.mark.parametrize("case", GOLDEN["landmarks"], ids=lambda case: f"{case['what']}, {case['align']}")
def test_the_words_about_turned_squares_are_true(case):
    """The similarity by complex numbers, from what the page says alone."""
    points = np.array(case["landmarks"]) @ [1, 1j]
    if case["align"] == "eyes":
        points, template = points[:2], np.array([0.3 + 0.4j, 0.7 + 0.4j])
    else:
        text = (DOCS / "crop.md").read_text()
        pairs = [(float(x), float(y)) for x, y in re.findall(r"\((\d+\.\d{4}), (\d+\.\d{4})\)", text)]
        template, points = (np.array(pairs) @ [1, 1j] + 0.5 + 0.5j) / 112, points + 0.5 + 0.5j
    centred, wanted = points - points.mean(), template - template.mean()
    turn = (wanted * centred.conj()).sum() / (abs(centred) ** 2).sum()
    corners = (np.array([0, 1, 1j]) - template.mean()) / turn + points.mean()
    np.testing.assert_allclose(np.stack([corners.real, corners.imag], 1), case["corners"], atol=2e-3)


def test_all_four_languages_are_there():
    for language in ("python", "javascript", "kotlin", "swift"):
        assert "square" in code(language)
        assert "crop" in code(language)
