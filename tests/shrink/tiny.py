"""A tiny shuffle net, faces it can learn, and its trained model: what the tests of this room share."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from facelet.faces import FaceSet
from facelet.nets import FaceNet, NetSpec

LABELS = ("dark", "bright", "striped")
SPEC = NetSpec("tiny", classes=3, size=16, channels=1, mean=(0.4,), std=(0.2,))


class Tiny(nn.Module):
    """Stem, two shuffle units, mean, classifier: every operator the shuffle nets of this package export to."""

    def __init__(self, width: int = 16, channels: int = 1, classes: int = 3) -> None:
        super().__init__()
        half = width // 2
        self.stem = nn.Sequential(nn.Conv2d(channels, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        self.units = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(half, half, 3, 1, 1, groups=half, bias=False),
                nn.BatchNorm2d(half),
                nn.Conv2d(half, half, 1),
                nn.ReLU(),
            )
            for _ in range(2)
        )
        self.fc = nn.Linear(width, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        resting, working = self.stem(images).chunk(2, 1)
        for unit in self.units:
            worked = unit(working)
            (first, last), (new_first, new_last) = resting.chunk(2, 1), worked.chunk(2, 1)
            resting, working = torch.cat((new_first, first), 1), torch.cat((last, new_last), 1)
        return self.fc(torch.cat((resting, working), 1).mean((2, 3)))


def faces(n: int = 240, seed: int = 0) -> FaceSet:
    """Noise that is dark, bright or striped; half train, the rest val and test."""
    random = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    images = random.normal(90, 45, (n, 16, 16, 1)) + 35 * (labels == 1)[:, None, None, None]
    images += 50 * (labels == 2)[:, None, None, None] * (np.arange(16) % 2)[None, :, None, None]
    splits = np.where(np.arange(n) < n // 2, 0, np.where(np.arange(n) < 5 * n // 6, 1, 2)).astype(np.int8)
    names = np.array([f"face {number}" for number in range(n)])
    return FaceSet(images.clip(0, 255).astype(np.uint8), labels.astype(np.int64), splits, names, LABELS, "noise")


def trained(seed: int = 0, steps: int = 60) -> Tiny:
    """Tiny, after a second of training on ``faces()``."""
    torch.manual_seed(seed)
    net, train = Tiny(), faces().split("train")
    images = (torch.from_numpy(train.images).permute(0, 3, 1, 2).float() / 255 - 0.4) / 0.2
    optimizer = torch.optim.Adam(net.parameters(), 0.02)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(images), torch.from_numpy(train.labels)).backward()
        optimizer.step()
    return net.eval()


class Residual(FaceNet):
    """conv - BN, plus depthwise - BN - 1x1 - BN of it; so four layers have a filter for each channel of the sum."""

    def __init__(self, norms: bool = True) -> None:
        super().__init__()
        norm = nn.BatchNorm2d if norms else lambda width: nn.Identity()
        self.first, self.bn1 = nn.Conv2d(1, 4, 3, padding=1), norm(4)
        self.deep, self.bn2 = nn.Conv2d(4, 4, 3, padding=1, groups=4), norm(4)
        self.wide, self.bn3 = nn.Conv2d(4, 6, 1), norm(6)
        self.back, self.bn4 = nn.Conv2d(6, 4, 1), norm(4)
        self.fc = nn.Linear(4, 3)

    def stages(self, images):
        maps = self.bn1(self.first(images)).relu()
        inner = self.bn3(self.wide(self.bn2(self.deep(maps)))).relu()
        return [maps + self.bn4(self.back(inner))]

    def embed(self, stages):
        return stages[-1].mean((2, 3))

    def classify(self, embedding):
        return self.fc(embedding)

    def uncut(self):
        return [self.fc]
