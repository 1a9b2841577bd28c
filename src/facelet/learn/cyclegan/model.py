"""CycleGAN: two generators and two discriminators that translate between two classes, and their losses.

Zhu et al., https://arxiv.org/abs/1703.10593

>>> translation = CycleGan(channels=1, choice=CycleGanOptions())
>>> losses, made, remade = translation.generator_losses(source, target)
>>> loss = translation.discriminator_loss(source, target, made, remade, generator)

It learns every difference between two sets of photos, so also differences other than the expression, if there are any.

``Pool`` keeps translated faces of earlier steps, which are shown to the discriminators together with new ones. Shrivastava et al.,
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
from facelet.learn.device.precision import Wish, choose, computing, pick_device
from facelet.losses.cyclegan import adversarial, distance
from facelet.nets.spec import load_weights

SAMPLE = 4
"""Faces of the step that is timed."""


@dataclass(frozen=True)
class CycleGanOptions:
    """Settings of a CycleGAN.

    Attributes:
        width: channels of the generators at full size.
        blocks: residual blocks of the generators.
        layers: layers of the discriminators.
        cycle: weight of the cycle loss; the adversarial loss has weight 1.
        identity: weight of the identity loss.
        pool: number of earlier faces that are also shown to the discriminators.
        lr: learning rate of Adam, for all four nets.
    """

    width: int = 32
    blocks: int = 6
    layers: int = 2
    cycle: float = 10.0
    identity: float = 5.0
    pool: int = 50
    lr: float = 2e-4


class CycleGan(nn.Module):
    """Generators ``forth`` (source to target) and ``back``; discriminators ``target`` and ``source`` of the two classes."""

    def __init__(self, channels: int, choice: CycleGanOptions) -> None:
        super().__init__()
        self.choice = choice
        self.forth, self.back = (Generator(channels, choice.width, choice.blocks) for _ in range(2))
        self.target, self.source = (Discriminator(channels, choice.width, choice.layers) for _ in range(2))
        self.pools = {"target": Pool(choice.pool), "source": Pool(choice.pool)}

    def optimizers(self) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
        """Optimizers of the generators, and of the discriminators."""
        parts = [*self.forth.parameters(), *self.back.parameters()], self._discriminators()
        first, second = (torch.optim.Adam(weights, self.choice.lr, (0.5, 0.999), fused=True) for weights in parts)
        return first, second

    def generator_losses(self, source: Tensor, target: Tensor) -> tuple[dict[str, Tensor], Tensor, Tensor]:
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

    def discriminator_loss(
        self, source: Tensor, target: Tensor, made: Tensor, remade: Tensor, generator: torch.Generator
    ) -> Tensor:
        """Loss of the discriminators; the generated faces are mixed with those of earlier steps."""
        total = torch.zeros((), device=source.device)
        for judge, name, real, fake in (
            (self.target, "target", target, made),
            (self.source, "source", source, remade),
        ):
            old = self.pools[name].mixed(fake, generator)
            total = total + 0.5 * (adversarial(judge(real), True).mean() + adversarial(judge(old), False).mean())
        return total

    def freeze_discriminators(self, frozen: bool) -> None:
        """Sets whether the discriminators' weights get no gradients."""
        for weight in self._discriminators():
            weight.requires_grad_(not frozen)

    def _discriminators(self) -> list[nn.Parameter]:
        return [*self.target.parameters(), *self.source.parameters()]


@torch.no_grad()
def translated(
    generator: nn.Module, weights: Path, faces: NDArray[np.uint8], device: torch.device, batch: int = 64
) -> NDArray[np.uint8]:
    """``faces`` uint8 (N, S, S, C) translated by the trained generator in float32; the result has the same shape and type."""
    load_weights(generator, weights)
    generator.to(device).eval()
    parts = []
    for start in range(0, len(faces), batch):
        inputs = torch.from_numpy(np.array(faces[start : start + batch])).to(device).permute(0, 3, 1, 2)
        outputs = generator(inputs.float() / 127.5 - 1)
        parts.append(((outputs + 1) * 127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1).cpu().numpy())
    return np.concatenate(parts) if parts else faces[:0]


def seconds_per_step(channels: int, size: int, choice: CycleGanOptions, batch: int, wish: Wish) -> float:
    """Seconds per training step on this machine, estimated from a step with a small batch: a rough estimate."""
    device = pick_device()
    with torch.random.fork_rng(devices=[]):
        net = CycleGan(channels, choice).to(device)
    precision = choose(device, wish)
    faces = torch.zeros(SAMPLE, channels, size, size, device=device)
    times = []
    for _ in range(2):
        start = time.perf_counter()
        with computing(device.type, bf16=precision.bf16):
            losses, made, remade = net.generator_losses(faces, faces)
            loss = torch.stack(list(losses.values())).sum() + net.discriminator_loss(
                faces, faces, made, remade, torch.Generator()
            )
        loss.backward()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return min(times) * batch / SAMPLE


class Pool:
    """Keeps ``size`` translated faces of earlier steps; none with ``size`` 0."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.faces: Tensor | None = None

    def mixed(self, fresh: Tensor, generator: torch.Generator) -> Tensor:
        """``fresh`` (N, C, S, S), detached; once the pool is full, each face is swapped with an older one with probability 0.5."""
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
