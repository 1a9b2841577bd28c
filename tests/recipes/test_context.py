"""The faces that a recipe names, and the folders and names of its steps."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from facelet.errors import FaceletError
from facelet.recipes.context import RunContext, read_faces
from facelet.recipes.schema import FacesChoice
from facelet.step import Hardware


def test_further_sources_join_the_first():
    choice = FacesChoice(source="toy", size=32, faces=400, noise=0, also=["toy?faces=90&seed=1"])
    faces = read_faces(choice)
    assert len(faces) == 490
    assert faces.source == "toy + toy"


def test_a_missing_split_is_told_with_what_to_type(monkeypatch):
    faces = read_faces(FacesChoice(source="toy", size=16, faces=90))
    some = faces.take(faces.splits < 2)
    monkeypatch.setattr("facelet.recipes.context.load_faces", lambda *given, **options: some)
    choice = FacesChoice(source="folder", path="mine")
    if faces.identities is None:
        with pytest.raises(FaceletError, match=r"folder:mine has no test faces; .*folder:mine\?test=0\.15"):
            read_faces(choice)
    assert read_faces(choice, pairs="lfw:lfw.zip") is some


def test_further_seeds_have_names_and_folders_of_their_own():
    work = RunContext(SimpleNamespace(), SimpleNamespace(), Path("run"), Hardware(), print)
    step = SimpleNamespace(name="student")
    assert [work.label(step, seed) for seed in (0, 1, 2)] == ["student", "student-s1", "student-s2"]
    assert work.place(step, 1) == Path("run/steps/student-s1")
