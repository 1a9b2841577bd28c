"""The one door to Lightning, under either of its names, and silenced: Facelet says itself what users should know.

>>> from facelet.learn.engine.lightning import LightningModule, Trainer

The processes that Lightning starts import this file too.
"""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import torch

from facelet.learn.device.malloc import keep_memory

try:
    from lightning.fabric.plugins.environments import (
        LightningEnvironment,
        SLURMEnvironment,
        TorchElasticEnvironment,
    )
    from lightning.pytorch import LightningModule, Trainer
    from lightning.pytorch.strategies import DDPStrategy
except ModuleNotFoundError as missing:
    if (missing.name or "").split(".")[0] != "lightning":
        raise
    from lightning_fabric.plugins.environments import (  # type: ignore[assignment]
        LightningEnvironment,
        SLURMEnvironment,
        TorchElasticEnvironment,
    )
    from pytorch_lightning import LightningModule, Trainer  # type: ignore[assignment]
    from pytorch_lightning.strategies import DDPStrategy  # type: ignore[assignment]

__all__ = [
    "DDPStrategy",
    "LightningEnvironment",
    "LightningModule",
    "SLURMEnvironment",
    "TorchElasticEnvironment",
    "Trainer",
    "quiet_trainer",
]

_LOUD = ("lightning", "lightning.pytorch", "lightning.fabric", "pytorch_lightning", "lightning_fabric")
for _name in (*_LOUD, "torch.multiprocessing.spawn"):
    logging.getLogger(_name).setLevel(logging.ERROR)
warnings.filterwarnings("ignore", module=r"(lightning|pytorch_lightning|lightning_fabric)\..*")


def quiet_trainer(device: torch.device, folder: Path, *, bf16: bool, **more: Any) -> Trainer:
    """A Trainer that runs until it is told to stop, and leaves bars, logs, checkpoints and validation to us."""
    keep_memory()
    return Trainer(
        accelerator="gpu" if device.type == "cuda" else "cpu",
        precision="bf16-mixed" if bf16 else "32-true",
        max_epochs=-1,
        benchmark=device.type == "cuda",
        default_root_dir=folder,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        limit_val_batches=0,
        **more,
    )
