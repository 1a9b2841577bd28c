"""CycleGAN: two generators and two discriminators that translate between two classes, and their losses.

Zhu et al., https://arxiv.org/abs/1703.10593

>>> translation = CycleGan(channels=1, choice=CycleGanOptions())
>>> losses, made, remade = translation.making(source, target)
>>> loss = translation.judging(source, target, made, remade, generator)

What it learns is what sets two sets of photos apart, and that is more than the expression where they differ in more.

``Pool`` keeps translated faces of earlier steps, which the discriminator sees beside new ones. Shrivastava et al.,
https://arxiv.org/abs/1612.07828
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facelet.learn.cyclegan.nets import Discriminator, Generator
from facelet.learn.device.precision import Wish, choose, pick_device
from facelet.losses.cyclegan import adversarial, distance
from facelet.nets.spec import load_weights

SAMPLE = 4
"""Faces of the step that is timed."""


@dataclass(frozen=True)
class CycleGanOptions:
    """What can be chosen of a CycleGAN.

    Attributes:
        width, blocks: of the generators. layers: of the discriminators.
        cycle, identity: weights beside the adversarial loss.
        pool: earlier faces that the discriminators are shown.
        lr: of Adam, for all four nets.
    """

    width: int = 32
    blocks: int = 6
    layers: int = 2
    cycle: float = 10.0
    identity: float = 5.0
    pool: int = 50
    lr: float = 2e-4


class CycleGan(nn.Module):
    """``forth``: source to target; ``back``: target to source; ``target`` and ``source``: who is real of each."""

    def __init__(self, channels: int, choice: CycleGanOptions) -> None:
        super().__init__()
        self.choice = choice
        self.forth, self.back = (Generator(channels, choice.width, choice.blocks) for _ in range(2))
        self.target, self.source = (Discriminator(channels, choice.width, choice.layers) for _ in range(2))
        self.pools = {"target": Pool(choice.pool), "source": Pool(choice.pool)}

    def optimizers(self) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
        """Of the generators, and of the discriminators."""
        makers, judges = [*self.forth.parameters(), *self.back.parameters()], self._judging()
        first, second = (torch.optim.Adam(some, self.choice.lr, (0.5, 0.999), fused=True) for some in (makers, judges))
        return first, second

    def making(self, source: Tensor, target: Tensor) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """Weighted losses of the generators, and the generated faces: of the target class, and of the source class.

        Args:
            source: (N, C, S, S) in -1..1.
            target: (M, C, S, S) in -1..1.
        """
        made, remade = self.forth(source), self.back(target)
        fooled = adversarial(self.target(made), True).mean() + adversarial(self.source(remade), True).mean()
        cycled = distance(self.back(made), source).mean() + distance(self.forth(remade), target).mean()
        losses = {"fooled": fooled, "cycle": self.choice.cycle * cycled}
        if self.choice.identity:
            kept = distance(self.forth(target), target).mean() + distance(self.back(source), source).mean()
            losses["identity"] = self.choice.identity * kept
        return losses, made, remade

    def judging(
        self, source: Tensor, target: Tensor, made: Tensor, remade: Tensor, generator: torch.Generator
    ) -> Tensor:
        """The loss of the discriminators; what was made is mixed with what was made before."""
        total = torch.zeros((), device=source.device)
        for judge, name, real, fake in (
            (self.target, "target", target, made),
            (self.source, "source", source, remade),
        ):
            old = self.pools[name].mixed(fake, generator)
            total = total + 0.5 * (adversarial(judge(real), True).mean() + adversarial(judge(old), False).mean())
        return total

    def freeze_judges(self, frozen: bool) -> None:
        """Whether gradients stop at the discriminators' weights."""
        for weight in self._judging():
            weight.requires_grad_(not frozen)

    def _judging(self) -> list[nn.Parameter]:
        return [*self.target.parameters(), *self.source.parameters()]


@torch.no_grad()
def translated(
    generator: nn.Module, weights: Path, faces: NDArray[np.uint8], device: torch.device, batch: int = 64
) -> NDArray[np.uint8]:
    """``faces`` uint8 (N, S, S, C) as the trained generator answers them, the same shape, in float32."""
    load_weights(generator, weights)
    generator.to(device).eval()
    found = []
    for start in range(0, len(faces), batch):
        some = torch.from_numpy(np.array(faces[start : start + batch])).to(device).permute(0, 3, 1, 2)
        answer = generator(some.float() / 127.5 - 1)
        found.append(((answer + 1) * 127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1).cpu().numpy())
    return np.concatenate(found) if found else faces[:0]


def seconds_per_step(channels: int, size: int, choice: CycleGanOptions, batch: int, wish: Wish) -> float:
    """Of training on this machine, from one step with few faces: an order of magnitude."""
    device = pick_device()
    with torch.random.fork_rng(devices=[]):
        net = CycleGan(channels, choice).to(device)
    precision = choose(net, device, wish)
    faces = torch.zeros(SAMPLE, channels, size, size, device=device)
    times = []
    for _ in range(2):
        start = time.perf_counter()
        with torch.autocast(device.type, torch.bfloat16, enabled=precision.bf16):
            losses, made, remade = net.making(faces, faces)
            loss = torch.stack(list(losses.values())).sum() + net.judging(faces, faces, made, remade, torch.Generator())
        loss.backward()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return min(times) * batch / SAMPLE


class Pool:
    """The last faces of ``size``; with ``size`` 0 none is kept."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.faces: Tensor | None = None

    def mixed(self, fresh: Tensor, generator: torch.Generator) -> Tensor:
        """``fresh`` (N, C, S, S), detached; once the pool is full each face is exchanged for an older one half of the time."""
        fresh = fresh.detach()
        if not self.size:
            return fresh
        held = fresh[:0] if self.faces is None else self.faces.to(fresh.device)  # a restored one is on the CPU
        taken = fresh[: self.size - len(held)]
        self.faces = torch.cat([held, taken]) if len(taken) else held
        rest = fresh[len(taken) :].clone()
        for number in range(len(rest)):
            swap, place = torch.rand((), generator=generator), torch.randint(self.size, (), generator=generator)
            if swap < 0.5:
                old = self.faces[place].clone()
                self.faces[place] = rest[number]
                rest[number] = old
        return torch.cat([fresh[: len(taken)], rest])

    def state_dict(self) -> dict[str, Tensor]:
        return {} if self.faces is None else {"faces": self.faces}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self.faces = state.get("faces")
