"""Speed of the training loop relative to a bare loop.

The bare loop runs forward, backward and step on one prepared batch; ``do: train`` adds augmentation, EMA, clipping, checks and
progress.

    python benchmarks/train_loop.py                      # shufflenet-v2 and resnet18, 48 px, batch 128
    python benchmarks/train_loop.py resnet18 --steps 40 --device cuda

The loops alternate step by step in one process, so that other load affects both equally. Only the last column includes the
validation between epochs. The exit code is 1 if a ratio is below ``--floor``.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch.nn.functional import cross_entropy

from facelet.faces import FaceSet, load
from facelet.learn.data.augment import plain
from facelet.learn.data.batches import Batch, FaceBatches
from facelet.learn.data.normalise import Normalise
from facelet.learn.device import precision
from facelet.learn.engine.optimizer import make_optimizer
from facelet.learn.train import Train
from facelet.step import StepContext

SKIPPED = 3


class Bare:
    """Bare loop: forward, backward and step with the same net, optimizer and precision, on one prepared batch."""

    def __init__(self, step: Train, faces: FaceSet, device: torch.device) -> None:
        train = faces.split("train")
        spec = step.spec_for(faces, train, None)
        self.net = spec.build().to(device).train()
        self.choice = precision.choose(device, step.precision)
        layout = torch.channels_last if self.choice.channels_last else torch.contiguous_format
        self.net.to(memory_format=layout)
        images = torch.from_numpy(train.images[: step.batch]).to(device)
        self.faces = Normalise(spec).to(device)(plain(images)).contiguous(memory_format=layout)
        self.labels = torch.from_numpy(train.labels[: step.batch]).to(device)
        self.optimizer = make_optimizer([self.net], step.optimization())
        self.device = device

    def step(self) -> None:
        with precision.computing(self.device.type, bf16=self.choice.bf16):
            loss = cross_entropy(self.net(self.faces), self.labels)
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)


@dataclass
class Clock:
    """Step times of both loops in seconds."""

    device: torch.device
    bare: list[float] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)

    def now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()


def take_turns(clock: Clock, bare: Bare) -> None:
    """Runs one bare step before each batch of the training loop, and times both."""
    batches_of = FaceBatches.__iter__

    def turns(self: FaceBatches) -> Iterator[Batch]:
        source, mark = batches_of(self), clock.now()
        if not torch.is_grad_enabled():  # batches that settle the batch norms before validation
            yield from source
            return
        while (batch := next(source, None)) is not None:
            start = clock.now()
            bare.step()
            end = clock.now()
            yield batch
            clock.bare.append(end - start)
            clock.ours.append(start - mark)
            mark = end

    FaceBatches.__iter__ = turns  # type: ignore[method-assign]


@dataclass(frozen=True)
class Measured:
    """Faces per second, and the median ratio of the two step times."""

    precision: str
    bare: float
    ours: float
    share: float
    validated: float


def measure(net: str, options: argparse.Namespace, faces: FaceSet) -> Measured:
    """Runs both loops on ``net``, alternating."""
    torch.manual_seed(0)
    device = precision.pick_device(options.device)
    per_epoch = int((faces.splits == 0).sum()) // options.batch
    fields = {"do": "train", "as": net, "net": net, "batch": options.batch, "epochs": (options.steps + 1) / per_epoch}
    step = Train.model_validate(fields)
    clock, batches_of = Clock(device), FaceBatches.__iter__
    bare = Bare(step, faces, device)
    take_turns(clock, bare)
    with tempfile.TemporaryDirectory() as folder:
        result = step.run(StepContext(net, Path(folder), faces, {}, device=options.device, say=lambda line: None))
    FaceBatches.__iter__ = batches_of  # type: ignore[method-assign]
    # medians, because the end of an epoch and other load slow down single steps; the last figure includes them
    pairs = list(zip(clock.ours, clock.bare, strict=True))[SKIPPED:]
    bare_step, our_step = (statistics.median(seconds) for seconds in (clock.bare[SKIPPED:], clock.ours[SKIPPED:]))
    whole = (result.spent["seconds"] - sum(clock.bare)) / result.spent["steps"]
    return Measured(
        str(bare.choice),
        bare=options.batch / bare_step,
        ours=options.batch / our_step,
        share=statistics.median(theirs / mine for mine, theirs in pairs),
        validated=options.batch / whole,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nets", nargs="*", default=["shufflenet-v2", "resnet18"])
    parser.add_argument("--steps", type=int, default=64)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--size", type=int, default=48)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--floor", type=float, default=0.9)
    options = parser.parse_args()
    faces = load("toy?faces=6000", size=options.size)
    table = Table(title=f"Training loop, {options.size} px, batch {options.batch}, {torch.get_num_threads()} threads")
    for name in ("net", "precision", "bare faces/s", "facelet faces/s", "share", "with validation/s"):
        table.add_column(name, justify="left" if name in ("net", "precision") else "right")
    worst = 1.0
    for net in options.nets:
        found = measure(net, options, faces)
        worst = min(worst, found.share)
        speeds = [f"{speed:,.0f}" for speed in (found.bare, found.ours, found.validated)]
        table.add_row(net, found.precision, *speeds[:2], f"{found.share:.1%}", speeds[2])
    Console().print(table)
    return 0 if worst >= options.floor else 1


if __name__ == "__main__":
    raise SystemExit(main())
