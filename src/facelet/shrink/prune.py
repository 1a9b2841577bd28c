"""The step ``prune``: structured pruning of a trained net to a budget, in rounds with fine-tuning.

In a recipe: ``{do: prune, as: small, of: large, params: 0.2, epochs: 6}``. The least important channels are removed first
(``score``). The number per layer follows from the budget: with ``scope: layer`` the same share of every layer, known before
training; with ``global`` the channels of all layers compete. Li et al., https://arxiv.org/abs/1608.08710; Fang et al.,
https://arxiv.org/abs/2301.12900

Controls show the gain: ``score: random``, and the small net trained from random weights (``train`` with ``widths_of``).
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
"""Factor on the default learning rate for fine-tuning a pruned net."""
TEMPERATURE = 4.0
GUESS = 0.5
"""Share of removed channels that a plan assumes for a latency budget, which is measured only at run time."""


@STEPS.register("prune")
class Prune(Budgeted):
    """Prunes a trained net; the training fields apply to the fine-tuning of all rounds together."""

    score: importance.Kind = Field(
        "l2",
        description="importance of a channel: the L2 or L1 norm of its weights, the scale of its batch norm (`bn`), "
        "Taylor expansion, or chance",
    )
    rounds: int = Field(
        3,
        ge=1,
        le=100,
        description="number of cuts, each followed by fine-tuning; the last one gets half of the training",
    )
    scope: Literal["layer", "global"] = Field(
        "layer",
        description="`layer`: every layer loses the same share; `global`: the channels of all layers are ranked together",
    )
    kd: float = Field(
        0.0,
        ge=0,
        le=1,
        description="weight of distillation from the unpruned net while fine-tuning; the rest is labels",
    )
    cache: bool = Field(
        False, description="run the unpruned net once on each face and its mirror image, instead of at every step"
    )

    @model_validator(mode="after")
    def _check_of(self) -> Prune:
        if not self.of:
            raise ValueError("prune needs `of`, the model to prune")
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
            result = f"{amount(whole.params)} parameters; the target size is found by timing at run time"
        elif self.scope == "global":
            result = f"about {change(whole, left)}; all layers are ranked together at run time"
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
        notes = (*self._summary(job, trial, net), *self.length_notes(spent, job))
        return StepResult(net=job.folder / "net.safetensors", notes=notes, spent=spent)

    def _round(
        self, each: Round, job: StepContext, trial: WidthSearch, net: FaceNet, spec: NetSpec, faces: FaceSet
    ) -> dict[str, float]:
        """Prunes and fine-tunes, or resumes a killed round. Returns the content of the training's ``result.json``."""
        from facelet.learn.engine.fit import train  # Fabric takes seconds to import

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
        """Returns the step and the context of one round's fine-tuning."""
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
            leave_gradients(net, hard, batches, device, precisions.choose(device, self.wish(job)))
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
        """Returns the final widths: found once and stored for ``scope: layer``, from the current scores for ``global``."""
        path, fingerprint = job.folder / "widths.json", self.fingerprint(job, spec)
        kept = files.read_json(path) if path.exists() else {}
        if self.scope == "layer" and kept.get("pruning") == fingerprint:
            return kept["widths"]
        if self.budget.kind == "latency_ms":
            job.say("  timing nets of several widths")
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
        """Returns the width search. Raises FaceletError for a net that is already pruned or cannot be pruned."""
        if spec.widths:
            raise FaceletError(
                f"{self.name}: {self.of!r} is already pruned; prune the original model, to the smaller budget"
            )
        trial = self.trial(spec)
        if self.score == "bn" and not any(isinstance(module, _BatchNorm) for module in trial.skeleton.modules()):
            raise FaceletError(f"{self.name}: score bn reads batch norms, and {spec.name} has none; try l2")
        return trial

    def _seconds(self, shown: float, before: NetSpec, after: NetSpec) -> float:
        """Returns the expected seconds of fine-tuning between both sizes; a teacher's forward pass is a third of a step."""
        if self.minutes:
            return self.minutes * 60
        assert self.epochs is not None
        whole = seconds_per_face(before, self.precision)
        passes = (2.0 if self.cache else self.epochs) if self.kd else 0.0
        return shown * (self.epochs * (whole + seconds_per_face(after, self.precision)) / 2 + passes * whole / 3)

    def _summary(self, job: StepContext, trial: WidthSearch, net: FaceNet) -> tuple[str, ...]:
        widths = Channels(net, trial.original).widths
        whole, left, share = trial.cost(trial.whole), trial.cost(widths), trial.share(widths)
        lost = 1 - left.params / whole.params
        limit = self.budget.figure(trial.limit)
        reached = self.budget.figure(files.read_json(job.folder / "widths.json")["figure"])
        taught = f", distilled from the unpruned net with weight {self.kd:g}" if self.kd else ""
        return (
            f"{self.of} pruned to {self.budget} by {self.score}, scope {self.scope}, in {self.rounds} rounds{taught}",
            f"budget {limit}, reached {reached}; {change(whole, left)}, MACs {amount(whole.macs)} → {amount(left.macs)}",
            f"{100 * share:.0f} % of the channels are {100 * lost:.0f} % of the parameters (1 − (1 − p)² "
            f"would be {100 * (1 - (1 - share) ** 2):.0f} %)",
        )
