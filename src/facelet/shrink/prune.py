"""The step ``prune``: channels are cut from a trained net, in rounds with fine-tuning between, until it meets a budget.

In a recipe: ``{do: prune, as: small, of: large, params: 0.2, epochs: 6}``. The least important channels go first (``score``); how
many of each layer follows from the budget: with ``scope: layer`` the same share of all, known before anything is spent; with
``global`` all layers' channels compete. Li et al., https://arxiv.org/abs/1608.08710; Fang et al., https://arxiv.org/abs/2301.12900

What it gained is shown by its controls: ``score: random``, and the small net from fresh weights (``train`` with ``widths_of``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from pydantic import Field, model_validator
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from facelet import nets
from facelet.errors import FaceletError
from facelet.faces import FaceSet
from facelet.io import files
from facelet.learn.data.augment import augmentation
from facelet.learn.data.batches import FaceBatches, Faces, seed_of
from facelet.learn.device import precision as precisions
from facelet.learn.engine.checkpoint import TrainingFolder
from facelet.learn.engine.estimate import seconds_per_face
from facelet.learn.engine.optimizer import Optimization
from facelet.learn.tasks.distillation import DistillationTask
from facelet.learn.tasks.distillation_losses import Pair
from facelet.learn.tasks.task import ClassificationTask, TrainingTask
from facelet.learn.teachers.from_job import taught_by
from facelet.nets import FaceNet, NetSpec
from facelet.nets.layers.exits import without_exits
from facelet.shrink.pruning import importance
from facelet.shrink.pruning.budgeted_step import Budgeted, change, steps
from facelet.shrink.pruning.channels import Channels
from facelet.shrink.pruning.gradients import leave_gradients
from facelet.shrink.pruning.rounds import Round, join_curves
from facelet.shrink.pruning.search import Widths, WidthSearch
from facelet.step import STEPS, Plan, StepContext, StepResult
from facelet.text import amount

GENTLE = 0.25
"""Factor of a fresh training's default lr: the net knows its faces, and has only been hurt."""
TEMPERATURE = 4.0
GUESS = 0.5
"""Share of the channels that a plan takes to go where it is found only when it runs."""


@STEPS.register("prune")
class Prune(Budgeted):
    """Fields of Budgeted; those of TrainingStep are for the fine-tuning of all rounds together."""

    score: importance.Kind = "l2"
    rounds: int = Field(3, ge=1, le=100)
    scope: Literal["layer", "global"] = "layer"
    kd: float = Field(0.0, ge=0, le=1, description="weight of distillation from the unpruned net; the rest is labels")
    cache: bool = Field(
        False, description="ask the unpruned net once about plain and mirrored faces, not at every step"
    )

    @model_validator(mode="after")
    def _check_of(self) -> Prune:
        if not self.of:
            raise ValueError("prune needs `of`, the earlier model that is cut")
        return self

    def optimization(self) -> Optimization:
        usual = super().optimization()
        return usual if self.lr else replace(usual, lr=GENTLE * usual.lr)

    def objective(self, net: FaceNet, spec: NetSpec, train: FaceSet, job: StepContext) -> TrainingTask:
        if not self.kd:
            return ClassificationTask(spec, **self.hard_options(train))
        teacher = taught_by([str(self.of)], job, train, self.wish(job), self.cache)
        widths = tuple(net.stage_widths), net.embedding_width, teacher.embedding_width
        pair = Pair(*widths, temperature=TEMPERATURE, alpha=1.0, beta=1.0, mix=0.0)
        return DistillationTask(spec, teacher, {"ce": 1 - self.kd, "kd": self.kd}, pair, **self.hard_options(train))

    def plan(self, faces: FaceSet, specs: Mapping[str, Any]) -> Plan:
        train, val = self.training_faces(faces), faces.labelled("val")
        spec = self.spec_for(faces, train, self.spec_of(str(self.of), specs))
        trial = self._trial(spec)
        known = self.budget.kind != "latency_ms"
        with self.named():
            widths = trial.find(trial.uniform) if known else trial.uniform(GUESS)
        cut = trial.spec(widths)
        whole, left = trial.cost(trial.whole), trial.cost(widths)
        how = f"{self.score}, {self.rounds} round{'s' * (self.rounds > 1)}, {self.length(len(train))}"
        if not known:
            result = f"{amount(whole.params)} parameters; what is left is found by timing when it runs"
        elif self.scope == "global":
            result = f"{change(whole, left)} or thereabouts; all layers are ranked together when it runs"
        else:
            result = f"{change(whole, left)}, channels −{100 * trial.share(widths):.0f} %"
        seconds = self._seconds(len(train) + len(val) / 3, spec, cut)
        counts = (left.params, left.macs) if known and self.scope == "layer" else (0, 0)
        return Plan(
            f"{self.of} to {self.budget} ({how}): {result}",
            *counts,
            seconds,
            cut,
            self.batch * seconds_per_face(cut, self.precision),
        )

    def run(self, job: StepContext) -> StepResult:
        net, spec = nets.load(job.net_of(str(self.of)))
        net = without_exits(net)
        faces = self.all_faces(job)
        spec = self.spec_for(job.faces, faces, spec)
        trial = self._trial(spec)
        rounds, results = self._rounds(job), []
        for each in rounds:
            results.append(self._round(each, job, trial, net, spec, faces))
            net, _ = nets.load(each.folder / "net.safetensors")
        if job.leads:
            join_curves(rounds, job.folder / "curves.csv")
            with files.writing(job.folder / "net.safetensors") as beside:
                beside.write_bytes((rounds[-1].folder / "net.safetensors").read_bytes())
        spent = {key: float(sum(result[key] for result in results)) for key in ("epochs", "steps", "seconds")}
        notes = (*self._told(job, trial, net), *self.length_notes(spent, job))
        return StepResult(net=job.folder / "net.safetensors", notes=notes, spent=spent)

    def _round(
        self, each: Round, job: StepContext, trial: WidthSearch, net: FaceNet, spec: NetSpec, faces: FaceSet
    ) -> dict[str, float]:
        """Cuts and fine-tunes, or what is left to do of it. Returns the training's ``result.json``."""
        from facelet.learn.engine.fit import train  # Fabric takes seconds to import: not before it is needed

        part, own = self._part(each, job)
        fingerprint = part.fingerprint(own, spec)
        folder = TrainingFolder(each.folder, fingerprint)
        if (result := folder.result()) is None:
            cut, cut_spec = each.cut(fingerprint, job.leads, lambda: self._cut(each, own, job, trial, net, spec, faces))
            objective = self.objective(cut, cut_spec, faces, job)
            training = part._training(own, cut.train(), cut_spec, objective, faces, folder)
            result = train(training, own, precisions.pick_device(job.device))
        if job.leads:
            each.clear()
        return result

    def check_kept(self, job: StepContext) -> bool:
        _, before = nets.load(job.net_of(str(self.of)))
        spec = self.spec_for(job.faces, self.training_faces(job.faces), before)
        parts = [self._part(each, job) for each in self._rounds(job)]
        return all(TrainingFolder(own.folder, part.fingerprint(own, spec)).result() is not None for part, own in parts)

    def _rounds(self, job: StepContext) -> list[Round]:
        return [Round(number, self.rounds, job.folder) for number in range(1, self.rounds + 1)]

    def _part(self, each: Round, job: StepContext) -> tuple[Prune, StepContext]:
        """The step and the job of one round's fine-tuning."""
        length = {key: value * each.share for key in ("epochs", "minutes") if (value := getattr(self, key))}
        match = replace(job.match, steps=each.part(job.match.steps)) if job.match else None
        own = replace(job, folder=each.folder, seed=seed_of(job.seed, each.number), match=match)
        return self.model_copy(update=length), own

    def _cut(
        self,
        each: Round,
        own: StepContext,
        job: StepContext,
        trial: WidthSearch,
        net: FaceNet,
        spec: NetSpec,
        faces: FaceSet,
    ) -> tuple[FaceNet, NetSpec]:
        if self.score == "taylor":
            device = precisions.pick_device(job.device)
            batches = FaceBatches(Faces.of(faces), size=self.batch, seed=own.seed, augment=augmentation(0.0))
            hard = ClassificationTask(spec, **self.hard_options(faces))
            leave_gradients(net, hard, batches, device, precisions.choose(net, device, self.wish(job)))
        channels = Channels(net, spec)
        scores = channels.scores(importance.ChannelImportance(self.score, own.seed))
        final = self._final(each, job, trial, channels.widths, scores, spec)
        units = {name: math.lcm(self.round_to, blocks) for name, blocks in channels.blocks.items()}
        widths = each.widths(channels.widths, final, units)
        job.say(f"  round {each.number} of {each.count}: {steps(channels.widths, widths, net)}")
        channels.cut(widths, scores)
        return net.cpu(), spec.measured(net)

    def _final(
        self,
        each: Round,
        job: StepContext,
        trial: WidthSearch,
        now: Widths,
        scores: Mapping[str, Tensor],
        spec: NetSpec,
    ) -> Widths:
        """The widths to end with: with ``scope: layer`` found once and kept, with ``global`` by what the channels are worth now."""
        path, fingerprint = job.folder / "widths.json", self.fingerprint(job, spec)
        kept = files.read_json(path) if path.exists() else {}
        if self.scope == "layer" and kept.get("pruning") == fingerprint:
            return kept["widths"]
        if self.budget.kind == "latency_ms":
            job.say("  times nets of several widths")
        with self.named():
            widths = trial.find(trial.ranked(now, scores) if self.scope == "global" else trial.uniform)
        figure = trial.figure(widths)
        files.write_json(path, {"pruning": fingerprint, "widths": widths, "figure": figure})
        limit = self.budget.figure(trial.limit)
        job.say(
            f"  plan: {change(trial.cost(trial.whole), trial.cost(widths))}; {self.budget.figure(figure)} of {limit}"
        )
        job.say(f"  channels −{100 * trial.share(widths):.0f} %: {steps(trial.whole, widths, trial.skeleton)}")
        return widths

    def _trial(self, spec: NetSpec) -> WidthSearch:
        """Raises FaceletError for a net that is cut already, or cannot be."""
        if spec.widths:
            raise FaceletError(
                f"{self.name}: {self.of!r} is pruned already; prune the model it is made from, to the smaller budget"
            )
        trial = self.trial(spec)
        if self.score == "bn" and not any(isinstance(module, _BatchNorm) for module in trial.skeleton.modules()):
            raise FaceletError(f"{self.name}: score bn reads batch norms, and {spec.name} has none; try l2")
        return trial

    def _seconds(self, shown: float, before: NetSpec, after: NetSpec) -> float:
        """Of the fine-tuning, at a width between the two; a teacher's answers are a third of its steps."""
        if self.minutes:
            return self.minutes * 60
        assert self.epochs is not None
        whole = seconds_per_face(before, self.precision)
        asked = (2.0 if self.cache else self.epochs) if self.kd else 0.0
        return shown * (self.epochs * (whole + seconds_per_face(after, self.precision)) / 2 + asked * whole / 3)

    def _told(self, job: StepContext, trial: WidthSearch, net: FaceNet) -> tuple[str, ...]:
        widths = Channels(net, trial.original).widths
        whole, left, share = trial.cost(trial.whole), trial.cost(widths), trial.share(widths)
        lost = 1 - left.params / whole.params
        asked = self.budget.figure(trial.limit)
        reached = self.budget.figure(files.read_json(job.folder / "widths.json")["figure"])
        taught = f", {self.kd:g} of the loss taught by it unpruned" if self.kd else ""
        return (
            f"{self.of} pruned to {self.budget} by {self.score}, scope {self.scope}, in {self.rounds} rounds{taught}",
            f"asked {asked}, reached {reached}; {change(whole, left)}, MACs {amount(whole.macs)} → {amount(left.macs)}",
            f"{100 * share:.0f} % of the channels are {100 * lost:.0f} % of the parameters (1 − (1 − p)² "
            f"would be {100 * (1 - (1 - share) ** 2):.0f} %)",
        )
