"""The one door to Lightning, under either of its names, and silenced: Facelet says itself what users should know.

>>> from facelet.learn.lightning import LightningModule, Trainer

The processes that Lightning starts import this file too.
"""

from __future__ import annotations

import logging
import warnings

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
]

_LOUD = ("lightning", "lightning.pytorch", "lightning.fabric", "pytorch_lightning", "lightning_fabric")
for _name in (*_LOUD, "torch.multiprocessing.spawn"):
    logging.getLogger(_name).setLevel(logging.ERROR)
warnings.filterwarnings("ignore", module=r"(lightning|pytorch_lightning|lightning_fabric)\..*")
