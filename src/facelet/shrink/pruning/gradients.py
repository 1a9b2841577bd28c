"""Gradients of a trained net on training faces, for the score ``taylor``.

>>> leave_gradients(net, ClassificationTask(spec), batches, device, precision)
>>> Channels(net, spec).scores(ChannelImportance("taylor"))
"""

from __future__ import annotations

import torch

from facelet.errors import FaceletError
from facelet.learn.data.batches import FaceBatches
from facelet.learn.device.precision import Precision
from facelet.learn.tasks.task import TrainingTask
from facelet.nets import FaceNet

BATCHES = 8


def leave_gradients(
    net: FaceNet, objective: TrainingTask, batches: FaceBatches, device: torch.device, precision: Precision
) -> None:
    """Sets each weight's ``grad`` to the mean absolute gradient over the first BATCHES batches.

    The net runs in eval mode and stays on ``device``. Raises FaceletError for gradients that are not finite.
    """
    net.to(device).eval().requires_grad_(True)
    objective.to(device).place(device)
    batches.place(device)
    weights = list(net.parameters())
    sums, count = [torch.zeros_like(weight) for weight in weights], 0
    for batch in batches.start(0, BATCHES):
        net.zero_grad(set_to_none=True)
        with torch.autocast(device.type, torch.bfloat16, enabled=precision.bf16):
            loss = torch.stack(list(objective(net, batch).values())).sum()
        loss.backward()
        count += 1
        for total, weight in zip(sums, weights, strict=True):
            if weight.grad is not None:
                total += weight.grad.abs()
    for total, weight in zip(sums, weights, strict=True):
        weight.grad = total / count
    if not all(bool(total.isfinite().all()) for total in sums):
        raise FaceletError("the gradient on training faces is not finite, so there are no taylor scores; try l2")
