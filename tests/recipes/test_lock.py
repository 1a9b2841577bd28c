"""A second run on the same folder is refused while the first one lives."""

from __future__ import annotations

import subprocess
import sys

import pytest

from facelet.errors import FaceletError
from facelet.recipes import lock
from facelet.recipes.lock import locked

HOLD = """
import sys, pathlib
from facelet.recipes import lock
from facelet.recipes.lock import locked
with locked(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_folder_is_held_by_one_process_and_freed_by_its_death(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(FaceletError, match=f"process {holder.pid}"), locked(tmp_path):
        pass
    holder.kill()
    holder.wait()
    with locked(tmp_path):
        pass


def test_nothing_is_left_of_a_run_that_failed_before_it_began(tmp_path):
    folder = tmp_path / "runs" / "a"
    with pytest.raises(FaceletError, match="no faces"), locked(folder):
        raise FaceletError(f"no faces, {sorted(path.name for path in folder.iterdir())}")
    assert list(tmp_path.iterdir()) == []


def test_what_is_in_a_folder_stays(tmp_path):
    (tmp_path / "empty").mkdir()
    with locked(tmp_path / "runs" / "a"):
        (tmp_path / "runs" / "a" / "run.json").touch()
    with locked(tmp_path / "empty"):
        pass
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
    assert left == ["empty", "runs", "runs/a", "runs/a/run.json"]


def test_a_lock_that_was_removed_meanwhile_is_no_lock(tmp_path, monkeypatch):
    """Between opening the file and locking it, its holder may end and remove it."""
    taken = []

    def take(descriptor):
        if not taken:
            (tmp_path / ".lock").unlink()
        taken.append(descriptor)

    monkeypatch.setattr(lock, "_take", take)
    with locked(tmp_path):
        assert len(taken) == 2
        assert (tmp_path / ".lock").read_text().isdigit()
