"""Local feature branch: four patches of a map, each with its own depthwise-separable weights.

After EfficientFace's local-feature extractor (https://ojs.aaai.org/index.php/AAAI/article/view/16465). In an aligned face brows,
eyes and mouth stay in their corners, so each corner can have its own filters.

>>> second = layer2(first) + LocalPatches(64, 128)(first)

It assumes upright, centred faces; with loose crops it only adds cost, more in time than in MACs.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from facelet.nets.layers.separable import Separable


class LocalPatches(nn.Module):
    """(N, inputs, H, W) to (N, outputs, ceil(H / 2), ceil(W / 2)): top left, top right, bottom left, bottom right."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.patches = nn.ModuleList(Separable(inputs, outputs, stride=2) for _ in range(4))

    def forward(self, maps: Tensor) -> Tensor:
        # Even cuts, so that the halved patches fit together for every map size.
        row, column = (max(2, 2 * round(side / 4)) for side in maps.shape[2:])
        top, bottom = maps[:, :, :row], maps[:, :, row:]
        corners = (top[..., :column], top[..., column:], bottom[..., :column], bottom[..., column:])
        a, b, c, d = (patch(corner) for patch, corner in zip(self.patches, corners, strict=True))
        return torch.cat((torch.cat((a, b), 3), torch.cat((c, d), 3)), 2)
