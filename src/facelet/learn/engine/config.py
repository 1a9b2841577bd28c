"""TrainingConfig: the net, data, task, schedule and settings of one training.

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
    """Configuration of one training.

    Attributes:
        name: name of the model, for messages.
        net: the net to train, with its initial weights.
        spec: spec of ``net``.
        objective: the task to minimise.
        batches: training faces.
        exam: validation metric.
        schedule: None when ``seconds`` are given and the first steps are to be timed.
        seconds: time budget of the training, or None.
        optimization: optimizer and its settings.
        ema: decay of the moving average of the weights.
        precision: precision and memory layout.
        seed: seed of all random numbers.
        folder: folder of plan, checkpoints and result.
        warmup: share of the steps in which the learning rate rises, for a schedule that is still to be planned.
        tensorboard: whether to write event files too.
        record: whether to capture the step as a CUDA graph on a GPU.
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
