"""The tests mirror the package, folders stay small, files stay short: src/facelet/A/B.py has tests/A/test_B.py."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "facelet"
TESTS = Path(__file__).parent
MODULES = sorted(path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py") if path.name != "__init__.py")
FOLDERS = sorted({SOURCE, *(path.parent for path in SOURCE.rglob("*.py"))})
WITHOUT = {
    "cli/faces.py": "faces/inspect/test_summary prints with it",
    "recipes/presets.py": "cli/test_run and test_schema read recipes with it",
    "cli/__main__.py": "two lines, which the tests of subprocesses run",
    "__main__.py": "two lines, which the tests of subprocesses run",
    "learn/engine/config.py": "fields alone: test_train fills and trains them",
    "learn/engine/fit.py": "starts a training: test_train and test_processes train with it",
    "learn/engine/loop.py": "the loop of a whole training, which test_train runs, stops and resumes",
    "learn/engine/supervised.py": "the training of a net, which test_train and test_cuda_graph run",
    "learn/engine/trainable.py": "the protocol between the loop and what it trains",
    "learn/engine/validation.py": "a pass over validation faces, which test_train compares with the finished net",
    "learn/teachers/outputs.py": "a named tuple that test_teacher and test_frozen read",
    "measure/evaluation.py": "test_classification and cli/measure/test_eval evaluate with it",
    "runtime/check.py": "test_self_test checks all bundled models with it",
    "runtime/drawing/folder.py": "test_draw writes drawings with it",
    "runtime/drawing/lettering.py": "test_draw reads what it writes",
    "runtime/people/storage/interface.py": "the protocol of the storages, all of which test_store runs",
}
"""Modules without a test of their name, and where they are tested instead."""
LONG: dict[str, str] = {}
"""Files of more than LINES lines, and why."""
MODULES_IN_A_FOLDER, LINES = 18, 300


def expected_test(module: str) -> Path:
    folder, _, name = module.rpartition("/")
    return TESTS / folder / f"test_{name}"


def test_every_module_has_its_test_or_a_reason():
    assert len(MODULES) > 150
    missing = [module for module in MODULES if module not in WITHOUT and not expected_test(module).exists()]
    assert not missing, f"no test of their name: {', '.join(missing)}; add one, or a reason to WITHOUT"


@pytest.mark.parametrize("reasons", [WITHOUT, LONG], ids=["WITHOUT", "LONG"])
def test_reasons_are_about_modules_that_are_there(reasons):
    assert not [module for module in reasons if module not in MODULES]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.relative_to(SOURCE.parent).as_posix())
def test_a_folder_is_small_and_says_what_it_is(folder):
    modules = [path.name for path in folder.glob("*.py") if path.name != "__init__.py"]
    assert len(modules) <= MODULES_IN_A_FOLDER, f"{len(modules)} modules: divide the folder"
    assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))


def test_files_are_short():
    lengths = {module: len((SOURCE / module).read_text(encoding="utf-8").splitlines()) for module in MODULES}
    too_long = [f"{module} ({lines})" for module, lines in lengths.items() if lines > LINES and module not in LONG]
    assert not too_long, f"more than {LINES} lines: {', '.join(too_long)}; divide them, or add a reason to LONG"
