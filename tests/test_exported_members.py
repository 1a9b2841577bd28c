"""The public API: everything that a public function returns can be imported from ``facelet`` and is documented."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import subprocess
import sys
import types
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest

import facelet

STUB = Path(facelet.__file__).with_suffix(".pyi")
EXPORTED = {name: getattr(facelet, name) for name in facelet.__all__}


def parts(annotation) -> Iterator[type]:
    """The classes in an annotation: ``list[Face] | None`` has list, Face, NoneType."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        yield annotation
    for argument in typing.get_args(annotation):
        for part in argument if isinstance(argument, list) else [argument]:
            yield from parts(part)


def returned(thing) -> set[type]:
    """Classes of this package in what a function, or the methods, properties and attributes of a class, give to a caller."""
    annotations = []
    if inspect.isclass(thing):
        for name, member in inspect.getmembers_static(thing):
            function = getattr(member, "fget", None) or getattr(member, "__func__", None) or member
            public = not name.startswith("_") or name in ("__call__", "__iter__", "__enter__", "__getitem__")
            if public and inspect.isfunction(function) and function.__module__.startswith("facelet"):
                annotations.append(typing.get_type_hints(function).get("return"))
        if dataclasses.is_dataclass(thing) or issubclass(thing, tuple):
            hints = typing.get_type_hints(
                thing, localns={"onnxruntime": types.SimpleNamespace(InferenceSession=object)}
            )
            annotations += [hint for name, hint in hints.items() if not name.startswith("_")]
    else:
        annotations.append(typing.get_type_hints(thing).get("return"))
    return {part for annotation in annotations for part in parts(annotation) if part.__module__.startswith("facelet.")}


@pytest.mark.parametrize("name", facelet.__all__)
def test_what_it_returns_is_exported(name):
    missing = {kind.__name__ for kind in returned(EXPORTED[name])} - set(facelet.__all__)
    assert not missing, f"facelet.{name} returns {', '.join(sorted(missing))}, which facelet/__init__.pyi does not list"


def test_the_test_sees_what_is_returned():
    names = {kind.__name__ for name in facelet.__all__ for kind in returned(EXPORTED[name])}
    expected = {"Detection", "Face", "FrameResult", "Track", "Match", "Enrollment", "Lookalike", "EnrolledFace"}
    assert names >= expected | {"EnrolledPerson", "GalleryModel", "Verification", "Model", "ModelInfo", "Analyzer"}


def test_the_list_is_sorted_and_complete():
    assert facelet.__all__ == sorted(set(facelet.__all__))
    assert set(facelet.__all__) <= set(dir(facelet))
    body = ast.parse(STUB.read_text()).body
    imports = [node for node in body if isinstance(node, ast.ImportFrom)]
    assert all(alias.asname == alias.name for node in imports for alias in node.names), "a stub exports by `as`"
    assert sorted(alias.name for node in imports for alias in node.names) == facelet.__all__
    assert {node.target.id for node in body if isinstance(node, ast.AnnAssign)} == {"__version__", "__all__"}


@pytest.mark.parametrize("name", facelet.__all__)
def test_every_name_is_documented(name):
    assert inspect.getdoc(EXPORTED[name])
    assert f"``{name}``" in facelet.__doc__ or f"``{name}(" in facelet.__doc__


def test_the_home_of_a_class_is_the_module_that_the_stub_names():
    """Not one that merely imports it."""
    for node in ast.parse(STUB.read_text()).body:
        for alias in node.names if isinstance(node, ast.ImportFrom) else ():
            if alias.name not in ("load", "load_model"):  # of a class method
                assert EXPORTED[alias.name].__module__ == node.module


def test_a_star_import_brings_all_of_it():
    names: dict = {}
    exec("from facelet import *", names)
    assert {name: names[name] for name in facelet.__all__} == EXPORTED


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'facelet' has no attribute 'analyse'"):
        facelet.analyse  # noqa: B018
    assert not hasattr(facelet, "Maker")


def test_it_is_imported_in_a_moment():
    """The best of five, so that a busy machine does not matter: it takes 20 ms, and torch alone takes a second."""
    code = "import time; start = time.perf_counter(); import facelet; print(time.perf_counter() - start)"
    times = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
        for _ in range(5)
    ]
    assert min(times) < 0.3
