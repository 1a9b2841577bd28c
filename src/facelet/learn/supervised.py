"""The step ``train``: a net learns labels, or the shares of annotators' votes.

>>> Train.model_validate({"do": "train", "as": "student", "net": "shufflenet-v2", "epochs": 20})

The plain control of every distillation: the same net, faces and schedule without a teacher.
"""

from __future__ import annotations

from facelet.faces import FaceSet
from facelet.learn.lesson import Lesson
from facelet.learn.objective import Labels, Objective
from facelet.nets import FaceNet, NetSpec
from facelet.step import STEPS, Job


@STEPS.register("train")
class Train(Lesson):
    """Cross-entropy; every field is Lesson's."""

    def objective(self, net: FaceNet, spec: NetSpec, train: FaceSet, job: Job) -> Objective:
        return Labels(spec, **self.hard_options(train))
