"""One training as data: what is trained, on what, towards what, for how long, and where it is kept.

>>> train(TrainingConfig(name="student", net=net, spec=spec, ...), job, device)
"""

from __future__ import annotations

from dataclasses import dataclass

from facelet.learn.data.batches import FaceBatches
from facelet.learn.device.precision import Precision
from facelet.learn.engine.checkpoint import TrainingFolder
from facelet.learn.engine.optimizer import Optimization
from facelet.learn.engine.schedule import Schedule
from facelet.learn.engine.val_metrics import ValidationMetric
from facelet.learn.tasks.task import TrainingTask
from facelet.nets import FaceNet, NetSpec


@dataclass
class TrainingConfig:
    """All that one training is.

    Attributes:
        name: of the model, for messages.
        net, spec: what is trained; ``net`` has its fresh or inherited weights.
        objective: what is minimised.
        batches: training faces.
        exam: what is asked on validation faces.
        schedule: fixed already, or None when ``seconds`` are given and its first steps are to be timed.
        seconds: of training, or None.
        warmup: share of the steps in which the learning rate rises, for a schedule that is still to be fixed.
        optimization: optimizer and its numbers.
        ema: decay of the running mean.
        precision, seed, folder: see there.
        tensorboard: whether event files are written, too.
        record: whether a GPU's steps may be recorded and replayed.
    """

    name: str
    net: FaceNet
    spec: NetSpec
    objective: TrainingTask
    batches: FaceBatches
    exam: ValidationMetric
    schedule: Schedule | None
    seconds: float | None
    optimization: Optimization
    ema: float
    precision: Precision
    seed: int
    folder: TrainingFolder
    warmup: float = 0.1
    tensorboard: bool = False
    record: bool = True
