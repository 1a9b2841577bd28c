"""Batches of training faces on the training device, without per-image Python; all random numbers derive from (seed, epoch, step).

>>> batches = FaceBatches(Faces.of(train), size=128, seed=0, augment=Augmentation())
>>> batches.place(device)
>>> for batch in batches: ...  # the rest of one epoch; again for the next

No number depends on earlier draws, so a training resumes at any step with the same faces. Each of several processes draws the
indices and the augmentation of the global batch and takes its own rows of them.

``MappedRows`` reads faces from a memory map, for a set that is larger than memory.
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
"""A memory-mapped set that is larger than this share of the memory is read batch by batch."""
DEVICE_SHARE = 0.5
"""A set that is larger than this share of a GPU's free memory stays in CPU memory."""


class Batch(NamedTuple):
    """Faces of one step, or a process's share of them.

    Attributes:
        faces: (B, C, S, S) float32 in [0, 1], augmented, not normalised.
        labels: int64 (B,), -1 for none.
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
    """A FaceSet as tensors: images uint8 (N, H, W, C), labels (N,), votes (N, K) or None."""

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
        """From images without labels, uint8 (N, H, W, C)."""
        return cls(torch.from_numpy(np.array(images)), torch.full((len(images),), -1), None)

    def to(self, device: torch.device) -> None:
        """Moves labels and votes to ``device``, and the images unless they are on disk or too large for it."""
        if isinstance(self.images, Tensor) and self.images.nbytes <= DEVICE_SHARE * free_memory(device):
            self.images = self.images.to(device)
        self.labels = self.labels.to(device)
        self.votes = None if self.votes is None else self.votes.to(device)

    def pixels(self, rows: Tensor) -> Tensor:
        """uint8 (B, H, W, C) on the labels' device; fastest with ``rows`` on the device of the images."""
        return sent(self.images[rows.to(self.images.device)], self.labels.device)

    def __len__(self) -> int:
        return len(self.labels)

    def __getstate__(self) -> dict[str, Any]:
        """Pickled as arrays: tensors are sent through shared memory, which a container often limits to 64 MB."""
        return {name: value.numpy() if isinstance(value, Tensor) else value for name, value in vars(self).items()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, torch.from_numpy(value) if isinstance(value, np.ndarray) else value)


def memory() -> int:
    """Bytes of this machine's memory; 8 GiB where it cannot be read (Windows)."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 8 << 30


def free_memory(device: torch.device) -> float:
    """Free bytes on a GPU; infinite for a CPU, whose memory already holds the faces."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else float("inf")


def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """``tensor`` on ``device``, copied to a GPU without synchronization."""
    if tensor.is_cuda or device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


class FaceBatches:
    """An iterable over the rest of the current epoch. ``step``: the global step of the next batch; it may be set.

    The faces that do not fill the last batch of an epoch are left out, different ones in each epoch.

    Args:
        faces: the training faces.
        size: faces of one step over all processes; at most the number of faces.
        seed: seed of the order and the augmentation.
        augment: settings of the augmentation.
        balanced: draw classes evenly, with replacement, instead of every face once; unlabelled faces are drawn in proportion
            to their number.
        epoch: length of an epoch in faces, if less than all; each epoch then has different faces.
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
        """Moves the faces to ``device`` and selects the share of process ``rank`` of ``world``; ``record``: see CudaGraph."""
        if self.size % world:
            raise FaceletError(f"a batch of {self.size} faces does not divide by {world} processes")
        self.device, self.rank, self.world = device, rank, world
        self.faces.to(device)
        self.change = CudaGraph(apply, "augmentation", wanted=record and world == 1)

    def start(self, step: int, count: int) -> Iterator[Batch]:
        """The first ``count`` global batches of the epoch that contains ``step``; the same in every process."""
        whole = copy.copy(self)
        whole.rank, whole.world, whole.total = 0, 1, None
        whole.step = step - step % self.steps_per_epoch
        return itertools.islice(iter(whole), count)

    def __iter__(self) -> Iterator[Batch]:
        epoch, within = divmod(self.step, self.steps_per_epoch)
        order = torch.from_numpy(self._order(epoch)).to(self.faces.images.device)
        share = self.size // self.world
        own = slice(self.rank * share, (self.rank + 1) * share)
        params, mirrored = torch.empty(0), torch.empty(0)
        block = -1
        while within < self.steps_per_epoch and (self.total is None or self.step < self.total):
            if within // AHEAD != block:
                block = within // AHEAD
                generator = torch.Generator().manual_seed(seed_of(self.seed, 1, epoch, block))
                drawn = draw(AHEAD * self.size, self.augment, generator).view(AHEAD, self.size, -1)[:, own]
                params = drawn.to(self.device)
                mirrored = params[:, :, 0] < 0
            rows = order[within * self.size : (within + 1) * self.size][own]
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
        """Rows of one epoch, drawn on the CPU so that they are the same on every machine."""
        draws = np.random.default_rng([self.seed, 0, epoch])
        n = self.steps_per_epoch * self.size
        if not self.balanced:
            return draws.permutation(len(self.faces))[:n]
        labels = self.faces.labels.cpu().numpy()
        unlabelled = np.flatnonzero(labels < 0)
        share = round(n * len(unlabelled) / len(labels))  # unlabelled faces are drawn in proportion to their number
        by_class = np.argsort(labels, kind="stable")[len(unlabelled) :]
        present, first, counts = np.unique(labels[by_class], return_index=True, return_counts=True)
        chosen = draws.integers(len(present), size=n - share)
        within = (draws.random(n - share) * counts[chosen]).astype(np.int64)
        evenly = by_class[first[chosen] + within]
        return draws.permutation(np.concatenate([evenly, draws.permutation(unlabelled)[:share]])) if share else evenly


def seed_of(*numbers: int) -> int:
    """A 63-bit seed derived from several numbers, such as (seed, step, rank)."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))


class MappedRows:
    """Images of a memory map, read by row; pickled as the file's name instead of the pixels."""

    device = torch.device("cpu")

    def __init__(self, images: np.memmap) -> None:
        self.images = images

    def __getitem__(self, rows: Tensor) -> Tensor:
        """uint8 (B, H, W, C); ``rows`` on the CPU."""
        wanted = rows.numpy()
        order = np.argsort(wanted)  # read in the order of the file
        pixels = np.empty((len(wanted), *self.images.shape[1:]), np.uint8)
        pixels[order] = self.images[wanted[order]]
        return torch.from_numpy(pixels)

    def __reduce__(self) -> tuple[Any, ...]:
        images = self.images
        start = images.__array_interface__["data"][0] - _file_start(images)
        return _reopen, (str(images.filename), images.shape, start)


def _file_start(images: np.memmap) -> int:
    """Memory address of the file's first byte; a slice of a map keeps the ``offset`` of the whole map."""
    base: Any = images
    while isinstance(base.base, np.memmap):
        base = base.base
    return base.__array_interface__["data"][0] - base.offset


def _reopen(name: str, shape: tuple[int, ...], start: int) -> MappedRows:
    return MappedRows(np.memmap(name, np.uint8, "r", start, shape))
