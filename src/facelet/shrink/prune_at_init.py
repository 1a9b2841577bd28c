"""The step ``prune-at-init``: pruning before training, which also makes the training cheaper.

In a recipe: ``{do: prune-at-init, as: slim, net: rescaps, macs: 0.5, epochs: 60}``. Squeeze-and-excitation gates are attached to
all prunable layers and trained with the net for a few hundred steps (``probe``); their mean activations score the channels. The
channels with the lowest scores and the gates are removed, and the remaining net is trained from its weights before the probe. Liu,
master's thesis, 2024, states that attention guides pruning at initialisation; the details are our interpretation.

Controls show whether the score matters: ``score: random``; ``uniform``, the same share of every layer; and ``shuffled``, which
permutes the scores within each layer (Su et al., https://arxiv.org/abs/2009.11094). With fresh ``weights`` a score only decides
the width of each layer, so shuffling has no effect.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from facelet.faces import FaceSet
from facelet.io import files
from facelet.learn.data.augment import augmentation
from facelet.learn.data.batches import FaceBatches, Faces, seed_of
from facelet.learn.device import precision as precisions
from facelet.learn.engine.estimate import seconds_per_face, steps_in_turn
from facelet.learn.tasks.task import ClassificationTask, TrainingTask
from facelet.nets import FaceNet, NetSpec
from facelet.shrink.pruning import importance
from facelet.shrink.pruning.budgeted_step import Budgeted, change, steps
from facelet.shrink.pruning.channels import Channels
from facelet.shrink.pruning.gates import Gates, GateScore, probe
from facelet.shrink.pruning.rounds import once
from facelet.shrink.pruning.search import Widths, WidthSearch
from facelet.step import STEPS, Plan, StepContext, StepResult
from facelet.text import amount

Scores = dict[str, Tensor]
NOTES = "probe.json"


@STEPS.register("prune-at-init")
class PruneAtInit(Budgeted):
    """Prunes an untrained net to a budget, then trains it."""

    score: Literal["se", "shuffled", "random", "uniform"] = Field(
        "se",
        description="importance of a channel: how far its squeeze-and-excitation gate opens (`se`), the same scores "
        "`shuffled` within each layer, chance (`random`), or the same share of all layers (`uniform`)",
    )
    probe: int = Field(300, ge=1, le=100_000, description="training steps with gates, for `se` and `shuffled`")
    scope: Literal["layer", "global"] = Field(
        "global",
        description="`global`: the channels of all layers are ranked together; `layer`: every layer loses the same share",
    )
    weights: Literal["rewound", "fresh"] = Field(
        "rewound",
        description="what the kept channels start from: the values they had before the probe (`rewound`), or `fresh` ones",
    )

    @model_validator(mode="after")
    def _check_fresh(self) -> PruneAtInit:
        if not self.net:
            raise ValueError("prune-at-init needs `net`, an untrained net; use prune for a trained one")
        if self.scope == "layer" and self.weights == "fresh" and self.score != "uniform":
            raise ValueError(
                "with scope: layer and weights: fresh the score has no effect; use scope: global or weights: rewound"
            )
        return self

    @property
    def scored(self) -> bool:
        """Whether gates score the channels."""
        return self.score in ("se", "shuffled")

    def objective(self, net: FaceNet, spec: NetSpec, train: FaceSet, job: StepContext) -> TrainingTask:
        return ClassificationTask(spec, **self.hard_options(train))

    def plan(self, faces: FaceSet, specs: Mapping[str, Any]) -> Plan:
        train, val = self.training_faces(faces), faces.labelled("val")
        spec = self.spec_for(faces, train, None)
        trial = self.trial(spec)
        with self.named():
            widths = trial.find(trial.uniform)
        cut = trial.spec(widths)
        whole, left = trial.cost(trial.whole), trial.cost(widths)
        gates = f"{self.probe} steps with gates, then " if self.scored else ""
        about, later = ("", "") if self._uniform else ("about ", "; all layers are ranked together at run time")
        what = f"{spec.name} to {self.budget} ({self.score}), {gates}{self.length(len(train))}"
        shown = (self.epochs or 0) * (len(train) + len(val) / 3)
        each = seconds_per_face(cut, self.precision)
        seconds = self.minutes * 60 if self.minutes else shown * each
        if self.scored:
            seconds += self.probe * self.batch * seconds_per_face(spec, self.precision)
        text = f"{what}: {about}{change(whole, left)}{later}"
        return Plan(text, left.params, left.macs, seconds, cut, self.batch * each)

    def notes(self, job: StepContext) -> tuple[str, ...]:
        return tuple(files.read_json(job.folder / NOTES))

    def run(self, job: StepContext) -> StepResult:
        result = super().run(job)
        for path in job.folder.glob("cut-*.safetensors") if job.leads else ():
            path.unlink(missing_ok=True)
        return result

    def start(
        self, job: StepContext, spec: NetSpec, before: tuple[FaceNet, NetSpec] | None, faces: FaceSet
    ) -> tuple[FaceNet, NetSpec]:
        path = job.folder / f"cut-{self.fingerprint(job, spec)}.safetensors"
        net, cut = once(path, job.leads, lambda: self._cut(job, spec, faces))
        return net.train(), cut

    def _cut(self, job: StepContext, spec: NetSpec, faces: FaceSet) -> tuple[FaceNet, NetSpec]:
        trial, net = self.trial(spec), spec.build()
        scores = self._scores(job, copy.deepcopy(net), spec, faces)
        with self.named():
            widths = trial.find(trial.uniform if self._uniform else trial.ranked(trial.whole, scores))
        Channels(net, spec).cut(widths, scores)
        cut = spec.measured(net)
        if self.weights == "fresh":
            net = cut.build()
        job.say(f"  channels −{100 * trial.share(widths):.0f} %: {steps(trial.whole, widths, trial.skeleton)}")
        notes = self._summary(job, trial, widths, scores, spec, cut)
        files.write_json(job.folder / NOTES, notes)
        for line in notes:
            job.say(f"  {line}")
        return net, cut

    @property
    def _uniform(self) -> bool:
        """Whether every layer loses the same share."""
        return self.scope == "layer" or self.score == "uniform"

    def _scores(self, job: StepContext, net: FaceNet, spec: NetSpec, faces: FaceSet) -> Scores:
        """Returns the scores of every layer's channels; trains ``net`` in place."""
        channels, seed = Channels(net, spec), seed_of(job.seed, 3)
        if not self.scored:
            return channels.scores(importance.ChannelImportance("random", seed))
        device = precisions.pick_device(job.device)
        precision = precisions.choose(device, self.wish(job))
        batches = FaceBatches(
            Faces.of(faces),
            size=self.batch,
            seed=seed,
            augment=augmentation(self.augment),
            balanced=self.balance == "sampler",
        )
        job.say(f"  {self.probe} steps with gates at {len(channels.widths)} layers")
        gates, objective = Gates(channels), self.objective(net, spec, faces, job)
        objective.place(device)
        with self.named():
            probe(net, gates, objective, batches, self.probe, self.optimization(), device, precision)
            scores = Channels(net, spec).scores(GateScore(gates))
        if self.score == "shuffled":
            generator = torch.Generator().manual_seed(seed)
            scores = {name: each[torch.randperm(len(each), generator=generator)] for name, each in scores.items()}
        return scores

    def _summary(
        self, job: StepContext, trial: WidthSearch, widths: Widths, scores: Scores, spec: NetSpec, cut: NetSpec
    ) -> tuple[str, ...]:
        """Returns lines for the ledger: what was removed, and the measured time of an epoch before and after."""
        whole, left = trial.cost(trial.whole), trial.cost(widths)
        device = precisions.pick_device(job.device)
        slow, fast = steps_in_turn([spec, cut], self.batch, self.wish(job), device.type)
        per_epoch = len(self.training_faces(job.faces)) // self.batch
        shares = [float(each.std(correction=0) / each.mean()) for each in scores.values()]
        scope = "layer" if self._uniform else "global"
        by = f"; gates vary by {100 * sum(shares) / len(shares):.1f} % within a layer" if self.scored else ""
        return (
            f"pruned before training to {self.budget} by {self.score}, scope {scope}, weights {self.weights}{by}",
            f"{change(whole, left)}, MACs {amount(whole.macs)} → {amount(left.macs)}",
            f"an epoch of training {slow * per_epoch:.1f} → {fast * per_epoch:.1f} s (−{100 * (1 - fast / slow):.0f} %, steps of "
            f"{self.batch} faces, measured alternately)",
        )
