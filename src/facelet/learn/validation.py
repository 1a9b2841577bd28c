"""How a net does on validation faces as they are, while it is trained.

>>> loss, right, count = validate(ema.net, normalise, val, torch.arange(len(val)), bf16=False)
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from facelet.faces.augment import plain
from facelet.learn.batches import Faces

BATCH = 256


@torch.no_grad()
def validate(net: nn.Module, normalise: nn.Module, val: Faces, rows: Tensor, bf16: bool) -> Tensor:
    """Sums over ``rows`` of ``val``, float64 (3,): cross-entropy, right answers, faces; ``net`` is in eval mode.

    Sums rather than means, so that several processes can add theirs.
    """
    sums = torch.zeros(3, dtype=torch.float64, device=rows.device)
    for some in rows.split(BATCH):
        faces, labels = normalise(plain(val.images[some])), val.labels[some]
        with torch.autocast(rows.device.type, torch.bfloat16, enabled=bf16):
            logits = net(faces)
        logits = logits.float()
        sums[0] += cross_entropy(logits, labels, reduction="sum")
        sums[1] += (logits.argmax(1) == labels).sum()
        sums[2] += len(some)
    return sums
