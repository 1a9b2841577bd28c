"""Lightning is found under its other name too."""

from __future__ import annotations

import subprocess
import sys

import pytest

WITHOUT = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "lightning":
            raise ModuleNotFoundError(name=name)
sys.meta_path.insert(0, Missing())
from facelet.learn.engine.lightning import Trainer
print(Trainer.__module__)
"""


@pytest.mark.slow
def test_pytorch_lightning_will_do():
    pytest.importorskip("pytorch_lightning")
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True)
    assert done.stdout == "pytorch_lightning.trainer.trainer\n"
