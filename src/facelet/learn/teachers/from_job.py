"""Teachers made from earlier models of a run."""

from __future__ import annotations

from collections.abc import Sequence

from facelet import nets
from facelet.faces import FaceSet
from facelet.learn.device.precision import Wish
from facelet.learn.teachers.ensemble import Ensemble
from facelet.learn.teachers.predictions import Predictions, answer, digest
from facelet.learn.teachers.teacher import CachedTeacher, LiveTeacher, Teacher
from facelet.step import StepContext


def together(members: Sequence[Teacher], mirror: bool) -> Teacher:
    """An Ensemble of ``members``; a single teacher without ``mirror`` is returned as it is."""
    return members[0] if len(members) == 1 and not mirror else Ensemble(members, mirror)


def taught_by(
    names: Sequence[str], job: StepContext, train: FaceSet, wish: Wish, cache: bool, mirror: bool = False
) -> Teacher:
    """A teacher made from the earlier models ``names``.

    With ``cache`` each model runs once on all faces and their mirror images, and its outputs are stored beside the step's folder,
    where later students reuse them; otherwise it runs on every batch.
    """
    return together([_taught_by(name, job, train, wish, cache) for name in names], mirror)


def _taught_by(name: str, job: StepContext, train: FaceSet, wish: Wish, cache: bool) -> Teacher:
    path, protocol = job.net_of(name), job.faces.protocol.split_hash
    if not cache:
        return LiveTeacher(*nets.load(path), wish)
    kept = job.folder.parent / f"answers-{name}-{digest(path)}-{train.protocol.split_hash}.npz"
    if kept.exists():
        return CachedTeacher(Predictions.load(kept).aligned(train, protocol))
    job.say(f"  runs {name} on {len(train):,} faces and their mirror images")
    predictions = answer(path, train, device=job.device, wish=wish, protocol=protocol, console=job.console)
    if job.leads:
        predictions.save(kept)
    return CachedTeacher(predictions)
