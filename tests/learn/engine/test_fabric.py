"""The door to Lightning Fabric: it opens under another package name, and changes the process only while a training runs."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import warnings

import pytest
import torch

from facelet.learn.engine.fabric import LOUD, make_fabric, quiet

WITHOUT = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "lightning":
            raise ModuleNotFoundError(name=name)
sys.meta_path.insert(0, Missing())
from facelet.learn.engine.fabric import Fabric
print(Fabric.__module__)
"""
IMPORT = """
import logging, os, warnings
import facelet.learn, lightning.fabric
levels = lambda: [logging.getLogger(name).level for name in {loud!r}]
before = levels(), list(warnings.filters), dict(os.environ)
import facelet.learn.engine.fit, facelet.learn.cyclegan.trainer
assert before == (levels(), list(warnings.filters), dict(os.environ))
"""
CPU = torch.device("cpu")


@pytest.mark.slow
def test_lightning_fabric_will_do():
    pytest.importorskip("lightning_fabric")
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True)
    assert done.stdout == "lightning_fabric.fabric\n"


@pytest.mark.slow
def test_importing_the_trainings_changes_nothing_in_the_process():
    done = subprocess.run([sys.executable, "-c", IMPORT.format(loud=LOUD)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_is_silenced_is_given_back():
    loggers = [logging.getLogger(name) for name in LOUD]
    before = [logger.level for logger in loggers], list(warnings.filters), dict(os.environ)
    with quiet():
        assert all(logger.level == logging.ERROR for logger in loggers)
        os.environ["FACELET_OF_A_TEST"] = "1"
    assert before == ([logger.level for logger in loggers], list(warnings.filters), dict(os.environ))


@pytest.mark.parametrize("bf16", [True, False])
def test_bf16_is_autocast_alone(bf16):
    """Nothing is cast before a layer asks for it, and no cast is kept: a recorded step would keep a stale one."""
    fabric = make_fabric(CPU, bf16=bf16)
    layer, faces = torch.nn.Linear(3, 2), torch.rand(4, 3)
    with fabric.autocast():
        assert layer(faces).dtype == (torch.bfloat16 if bf16 else torch.float32)
        assert not bf16 or not torch.is_autocast_cache_enabled()
    assert fabric._precision.convert_input(faces) is faces


def test_two_bf16_processes_get_the_faces_in_float32():
    """Fabric's own plugin would round the faces of a wrapped module before they are normalised."""
    seen: list[torch.dtype] = []

    class Sees(torch.nn.Linear):
        def forward(self, faces):
            seen.append(faces.dtype)
            return super().forward(faces)

    make_fabric(CPU, bf16=True).setup_module(Sees(3, 2))(torch.rand(4, 3))
    assert seen == [torch.float32]
