"""Creates Lightning Fabric, under either of its package names, and hides its log lines.

>>> with quiet():
...     make_fabric(device, bf16=False, devices=2).launch(loop.run)
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import torch

from facelet.learn.device import precision
from facelet.learn.device.launch import Launch

try:
    from lightning.fabric import Fabric
    from lightning.fabric.plugins.environments import (
        LightningEnvironment,
        SLURMEnvironment,
        TorchElasticEnvironment,
    )
    from lightning.fabric.plugins.precision import Precision
    from lightning.fabric.strategies import DDPStrategy
except ModuleNotFoundError as missing:
    if (missing.name or "").split(".")[0] != "lightning":
        raise
    from lightning_fabric import Fabric  # type: ignore[assignment]
    from lightning_fabric.plugins.environments import (  # type: ignore[assignment]
        LightningEnvironment,
        SLURMEnvironment,
        TorchElasticEnvironment,
    )
    from lightning_fabric.plugins.precision import Precision  # type: ignore[assignment]
    from lightning_fabric.strategies import DDPStrategy  # type: ignore[assignment]

__all__ = ["Fabric", "make_fabric", "quiet"]

LOUD = ("lightning", "lightning.fabric", "lightning.pytorch", "lightning_fabric", "torch.multiprocessing.spawn")
"""Loggers limited to errors. With ``import lightning``, Fabric logs under the name of lightning.pytorch."""


@contextmanager
def quiet() -> Iterator[None]:
    """Hides Lightning's log lines and warnings. Log levels, warning filters and environment variables are restored at the end."""
    loggers = [logging.getLogger(name) for name in LOUD]
    levels, environment = [logger.level for logger in loggers], dict(os.environ)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"(lightning|lightning_fabric)\..*")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
            for name in os.environ.keys() - environment.keys():
                del os.environ[name]
            os.environ.update(environment)


class QuietDDP(DDPStrategy):
    """DDP that hides log lines while its processes connect: a spawned process has not entered ``quiet`` yet."""

    def setup_environment(self) -> None:
        with quiet():
            super().setup_environment()


class ForwardContext(Precision):
    """Forward passes within ``precision.computing``; nothing else is converted: inputs stay in float32 until a layer casts them."""

    def __init__(self, device: str, bf16: bool) -> None:
        self._device, self._bf16 = device, bf16

    def forward_context(self) -> AbstractContextManager[None]:
        return precision.computing(self._device, bf16=self._bf16)


def make_fabric(
    device: torch.device, *, bf16: bool, devices: int = 1, nodes: int = 1, launched: Launch | None = None
) -> Fabric:
    """Fabric for ``devices`` of each of ``nodes`` machines; without a launcher (torchrun, SLURM) it spawns the processes itself."""
    distributed = devices * nodes > 1
    return Fabric(
        accelerator="cuda" if device.type == "cuda" else "cpu",
        devices=devices,
        num_nodes=nodes,
        strategy=QuietDDP(start_method="popen" if launched else "spawn") if distributed else "auto",
        plugins=[_environment(launched), ForwardContext(device.type, bf16)],
    )


def _environment(launched: Launch | None) -> LightningEnvironment | SLURMEnvironment | TorchElasticEnvironment:
    """The environment plugin, chosen explicitly: Lightning takes every SLURM batch script for a multi-process launch."""
    if launched is None:
        return LightningEnvironment()
    return TorchElasticEnvironment() if launched.by == "torchrun" else SLURMEnvironment(auto_requeue=False)
