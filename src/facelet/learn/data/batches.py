"""Training faces as batches on the training device: no per-image Python, and every number from (seed, epoch, step).

>>> batches = FaceBatches(Faces.of(train), size=128, seed=0, augment=Augmentation())
>>> batches.place(device)
>>> for batch in batches: ...  # the rest of one epoch; again for the next

Because nothing depends on what was drawn before, a training resumes at any step with the same faces, and each of
several processes draws the global batch's indices and augmentation and takes its own rows of them.

``MappedRows`` gathers faces from a memory map, where a set is larger than memory.
"""

from __future__ import annotations

import copy
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facelet.errors import FaceletError
from facelet.faces import FaceSet
from facelet.learn.data.augment import Augmentation, apply, draw
from facelet.learn.device.cuda_graph import CudaGraph

AHEAD = 64
"""Steps whose augmentation is drawn at once."""
MAPPED_SHARE = 0.25
"""A memory-mapped set that takes more than this share of the memory is read batch by batch instead."""
DEVICE_SHARE = 0.5
"""A set that takes more than this share of a GPU's free memory stays in the CPU's."""


class Batch(NamedTuple):
    """Faces of one step, or a process's share of them.

    Attributes:
        faces: (B, C, S, S) float32 in [0, 1], augmented, not normalised.
        labels: int64 (B,), -1 where there is none.
        rows: int64 (B,), index among the training faces.
        mirrored: bool (B,), whether the face is a mirror image.
        votes: float32 (B, K) or None.
    """

    faces: Tensor
    labels: Tensor
    rows: Tensor
    mirrored: Tensor
    votes: Tensor | None


@dataclass
class Faces:
    """What training needs of a FaceSet, as tensors: images uint8 (N, H, W, C), labels (N,), votes (N, K) or None."""

    images: Tensor | MappedRows
    labels: Tensor
    votes: Tensor | None

    @classmethod
    def of(cls, faces: FaceSet) -> Faces:
        images: Tensor | MappedRows
        given = faces.images
        if isinstance(given, np.memmap) and given.flags.c_contiguous and given.nbytes > MAPPED_SHARE * memory():
            images = MappedRows(given)
        else:
            images = torch.from_numpy(np.array(given))
        votes = None if faces.votes is None else torch.from_numpy(np.asarray(faces.votes, np.float32))
        return cls(images, torch.from_numpy(np.asarray(faces.labels, np.int64)), votes)

    @classmethod
    def of_images(cls, images: NDArray[np.uint8]) -> Faces:
        """Of faces that have no labels, uint8 (N, H, W, C)."""
        return cls(torch.from_numpy(np.array(images)), torch.full((len(images),), -1), None)

    def to(self, device: torch.device) -> None:
        """Labels and votes to ``device``, and the images too unless they are on disk or too many for it."""
        if isinstance(self.images, Tensor) and self.images.nbytes <= DEVICE_SHARE * free_memory(device):
            self.images = self.images.to(device)
        self.labels = self.labels.to(device)
        self.votes = None if self.votes is None else self.votes.to(device)

    def pixels(self, rows: Tensor) -> Tensor:
        """uint8 (B, H, W, C) on the labels' device; quickest with ``rows`` on the device of the images."""
        return sent(self.images[rows.to(self.images.device)], self.labels.device)

    def __len__(self) -> int:
        return len(self.labels)

    def __getstate__(self) -> dict[str, Any]:
        """As arrays: tensors would go to other processes through shared memory, of which a container has 64 MB."""
        return {name: value.numpy() if isinstance(value, Tensor) else value for name, value in vars(self).items()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, torch.from_numpy(value) if isinstance(value, np.ndarray) else value)


def memory() -> int:
    """Bytes of this machine's memory; 8 GiB where the system does not say (Windows)."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 8 << 30


def free_memory(device: torch.device) -> float:
    """Bytes that are free on a GPU; no limit for a CPU, where the faces are already."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else float("inf")


def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """``tensor`` on ``device``, without making a GPU wait."""
    if tensor.is_cuda or device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


class FaceBatches:
    """An iterable over the rest of the current epoch; ``step`` is the global step it gives next, and may be set.

    Args:
        size: faces of one step over all processes; at most the number of faces is used.
        balanced: draw classes evenly, with replacement, instead of every face once; faces without a label as often as they
            are there. What does not fill a last batch of an epoch is left out, other faces each time.
        epoch: how many faces it has, if fewer than there are: so many of them, other ones each time.
        rank, world: this process, and how many there are.

    Raises FaceletError when ``size`` does not divide by the processes.
    """

    def __init__(
        self,
        faces: Faces,
        *,
        size: int,
        seed: int,
        augment: Augmentation,
        balanced: bool = False,
        epoch: int | None = None,
    ) -> None:
        self.faces, self.seed, self.augment, self.balanced = faces, seed, augment, balanced
        self.epoch = len(faces) if epoch is None else min(epoch, len(faces))
        self.size = min(size, self.epoch)
        self.step = 0
        self.total: int | None = None
        self.device = torch.device("cpu")
        self.rank, self.world = 0, 1
        self.change = CudaGraph(apply, wanted=False)

    @property
    def steps_per_epoch(self) -> int:
        return self.epoch // self.size

    def place(self, device: torch.device, rank: int = 0, world: int = 1, record: bool = False) -> None:
        """Moves the faces to ``device`` and takes the share of process ``rank`` of ``world``; see Recorded for ``record``."""
        if self.size % world:
            raise FaceletError(f"a batch of {self.size} faces does not divide by {world} processes")
        self.device, self.rank, self.world = device, rank, world
        self.faces.to(device)
        self.change = CudaGraph(apply, "augmentation", wanted=record and world == 1)

    def start(self, step: int, count: int) -> Iterator[Batch]:
        """The first ``count`` batches of the epoch in which ``step`` is, whole, in every process."""
        whole = copy.copy(self)
        whole.rank, whole.world, whole.total = 0, 1, None
        whole.step = step - step % self.steps_per_epoch
        return itertools.islice(iter(whole), count)

    def __iter__(self) -> Iterator[Batch]:
        epoch, within = divmod(self.step, self.steps_per_epoch)
        order = torch.from_numpy(self._order(epoch)).to(self.faces.images.device)
        share = self.size // self.world
        mine = slice(self.rank * share, (self.rank + 1) * share)
        params, mirrored = torch.empty(0), torch.empty(0)
        block = -1
        while within < self.steps_per_epoch and (self.total is None or self.step < self.total):
            if within // AHEAD != block:
                block = within // AHEAD
                generator = torch.Generator().manual_seed(seed_of(self.seed, 1, epoch, block))
                drawn = draw(AHEAD * self.size, self.augment, generator).view(AHEAD, self.size, -1)[:, mine]
                params = drawn.to(self.device)
                mirrored = params[:, :, 0] < 0
            rows = order[within * self.size : (within + 1) * self.size][mine]
            number = within % AHEAD
            self.step += 1
            within += 1
            yield self._batch(rows, params[number], mirrored[number])

    def _batch(self, rows: Tensor, params: Tensor, mirrored: Tensor) -> Batch:
        faces = self.faces
        images, rows = faces.pixels(rows), sent(rows, self.device)
        votes = None if faces.votes is None else faces.votes[rows]
        return Batch(self.change(images, params), faces.labels[rows], rows, mirrored, votes)

    def _order(self, epoch: int) -> NDArray[np.int64]:
        """Rows of one epoch, drawn on the CPU so that every machine draws the same."""
        draws = np.random.default_rng([self.seed, 0, epoch])
        n = self.steps_per_epoch * self.size
        if not self.balanced:
            return draws.permutation(len(self.faces))[:n]
        labels = self.faces.labels.cpu().numpy()
        nobody = np.flatnonzero(labels < 0)
        some = round(n * len(nobody) / len(labels))
        by_class = np.argsort(labels, kind="stable")[len(nobody) :]
        present, first, counts = np.unique(labels[by_class], return_index=True, return_counts=True)
        chosen = draws.integers(len(present), size=n - some)
        within = (draws.random(n - some) * counts[chosen]).astype(np.int64)
        evenly = by_class[first[chosen] + within]
        return draws.permutation(np.concatenate([evenly, draws.permutation(nobody)[:some]])) if some else evenly


def seed_of(*numbers: int) -> int:
    """One 63-bit seed of several numbers, such as (seed, step, rank)."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))


class MappedRows:
    """Images of a memory map, gathered by row; it pickles as its file's name, not as its pixels."""

    device = torch.device("cpu")

    def __init__(self, images: np.memmap) -> None:
        self.images = images

    def __getitem__(self, rows: Tensor) -> Tensor:
        """uint8 (B, H, W, C); ``rows`` on the CPU."""
        wanted = rows.numpy()
        order = np.argsort(wanted)  # read in the order of the file
        found = np.empty((len(wanted), *self.images.shape[1:]), np.uint8)
        found[order] = self.images[wanted[order]]
        return torch.from_numpy(found)

    def __reduce__(self) -> tuple[Any, ...]:
        images = self.images
        start = images.__array_interface__["data"][0] - _file_start(images)
        return _reopen, (str(images.filename), images.shape, start)


def _file_start(images: np.memmap) -> int:
    """Address at which the file's first byte would be; a slice of a map keeps the offset of the whole."""
    base: Any = images
    while isinstance(base.base, np.memmap):
        base = base.base
    return base.__array_interface__["data"][0] - base.offset


def _reopen(name: str, shape: tuple[int, ...], start: int) -> MappedRows:
    return MappedRows(np.memmap(name, np.uint8, "r", start, shape))
