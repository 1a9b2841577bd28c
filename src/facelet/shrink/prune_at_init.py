"""The step ``prune-at-init``: a net is cut before it is trained, so that training is cheaper, too.

In a recipe: ``{do: prune-at-init, as: slim, net: rescaps, macs: 0.5, epochs: 60}``. Squeeze-and-excitation gates are hung beside
all layers that can be cut, trained with the net for a few hundred steps (``probe``), and score its channels by how far they open;
the least are cut, the gates are left behind, and the rest is trained from the values it had before the probe. Liu, master's
thesis, 2024, says that attention guides pruning at initialisation; the rest is our reading.

Whether the score matters is shown by its controls: ``score: random``; ``uniform``, the same share of every layer; and ``shuffled``,
which gives each layer's scores to its channels by chance (Su et al., https://arxiv.org/abs/2009.11094). Where ``weights`` are fresh
all that a score decides is how wide each layer is: shuffling cannot hurt then.
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
TOLD = "probe.json"


@STEPS.register("prune-at-init")
class PruneAtInit(Budgeted):
    """Fields of Budgeted, for a fresh net, and these."""

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
            raise ValueError("prune-at-init needs `net`, a fresh one; prune cuts a trained one")
        if self.scope == "layer" and self.weights == "fresh" and self.score != "uniform":
            raise ValueError(
                "with scope: layer and weights: fresh no score makes a difference; use scope: global or weights: rewound"
            )
        return self

    @property
    def scored(self) -> bool:
        """Whether channels are chosen by gates."""
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
        looks = f"{self.probe} steps with gates, then " if self.scored else ""
        exactly = "" if self._uniform else " or thereabouts; all layers are ranked together when it runs"
        what = f"{spec.name} to {self.budget} ({self.score}), {looks}{self.length(len(train))}"
        shown = (self.epochs or 0) * (len(train) + len(val) / 3)
        each = seconds_per_face(cut, self.precision)
        seconds = self.minutes * 60 if self.minutes else shown * each
        if self.scored:
            seconds += self.probe * self.batch * seconds_per_face(spec, self.precision)
        return Plan(f"{what}: {change(whole, left)}{exactly}", left.params, left.macs, seconds, cut, self.batch * each)

    def notes(self, job: StepContext) -> tuple[str, ...]:
        return tuple(files.read_json(job.folder / TOLD))

    def run(self, job: StepContext) -> StepResult:
        made = super().run(job)
        for path in job.folder.glob("cut-*.safetensors") if job.leads else ():
            path.unlink(missing_ok=True)
        return made

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
        told = self._told(job, trial, widths, scores, spec, cut)
        files.write_json(job.folder / TOLD, told)
        for line in told:
            job.say(f"  {line}")
        return net, cut

    @property
    def _uniform(self) -> bool:
        """Whether every layer loses the same share."""
        return self.scope == "layer" or self.score == "uniform"

    def _scores(self, job: StepContext, net: FaceNet, spec: NetSpec, faces: FaceSet) -> Scores:
        """Of every layer's channels; ``net`` is trained on the way."""
        channels, seed = Channels(net, spec), seed_of(job.seed, 3)
        if not self.scored:
            return channels.scores(importance.ChannelImportance("random", seed))
        device = precisions.pick_device(job.device)
        precision = precisions.choose(net, device, self.wish(job))
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

    def _told(
        self, job: StepContext, trial: WidthSearch, widths: Widths, scores: Scores, spec: NetSpec, cut: NetSpec
    ) -> tuple[str, ...]:
        """Lines for the ledger: what was cut by what, and the time of an epoch before and after, measured in turn."""
        whole, left = trial.cost(trial.whole), trial.cost(widths)
        device = precisions.pick_device(job.device)
        slow, fast = steps_in_turn([spec, cut], self.batch, self.wish(job), device.type)
        per_epoch = len(self.training_faces(job.faces)) // self.batch
        shares = [float(each.std(correction=0) / each.mean()) for each in scores.values()]
        scope = "layer" if self._uniform else "global"
        by = f"; gates vary by {100 * sum(shares) / len(shares):.1f} % within a layer" if self.scored else ""
        return (
            f"cut before training to {self.budget} by {self.score}, scope {scope}, weights {self.weights}{by}",
            f"{change(whole, left)}, MACs {amount(whole.macs)} → {amount(left.macs)}",
            f"an epoch of training {slow * per_epoch:.1f} → {fast * per_epoch:.1f} s (−{100 * (1 - fast / slow):.0f} %, steps of "
            f"{self.batch} faces, measured in turn)",
        )
