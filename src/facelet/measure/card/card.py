"""The model card: what a model file is, how well it does and where it does not, measured. ``card_text`` writes it down.

>>> card = measured("student-int8.onnx", faces=["ferplus:ferplus.zip"], people="faces:utkface.zip", run="runs/tsnet")
>>> card.sources[0].result.accuracy, card.trials[1].condition, card.people.rows[0].confidence
(0.82, 'blur', 0.71)

After Mitchell et al. 2019 (https://arxiv.org/abs/1810.03993). A card speaks of the faces it was made with, and of no others.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from facelet.errors import FaceletError, unknown
from facelet.faces import SPLITS, FaceSet, PairSet, Protocol, load, load_pairs
from facelet.measure.card import robustness
from facelet.measure.card.demographics import FalseMatches, GroupConfidence, grouped, strangers, sureness
from facelet.measure.card.provenance import Provenance, read_origin
from facelet.measure.card.robustness import CorruptionResult, Say
from facelet.measure.classification import Classification
from facelet.measure.efficiency.cost import file_cost
from facelet.measure.efficiency.latency import TIMED, Latency, bench
from facelet.measure.efficiency.machine import Machine, machine
from facelet.measure.evaluation import evaluate_model
from facelet.measure.metrics.labels import match_labels
from facelet.measure.pair_evaluation import framed, require_identity
from facelet.measure.verification import PairScores, embedded, verified
from facelet.models import model_file
from facelet.models.model_file import ModelInfo
from facelet.runtime.check import runs_on
from facelet.runtime.model import Model, require_task


@dataclass(frozen=True)
class SourceResult:
    """A model on one source.

    ``result``: of classes on one split, or of pairs. ``own``: whether the model was made under this very protocol; where it was
    not, it may have seen these faces all the same, and None is of pairs.
    """

    protocol: Protocol
    licence: str
    result: Classification | PairScores
    own: bool | None


@dataclass(frozen=True)
class DemographicResult:
    """A model on faces of which age, gender and race are told. ``skipped``: names that do not tell them."""

    source: str
    faces: int
    skipped: int
    rows: list[GroupConfidence] | list[FalseMatches]


@dataclass(frozen=True)
class Card:
    """All that a card says.

    Attributes:
        file: its name. bytes: its size without a card. width: how many numbers it answers with.
        macs: for one face. latency, machine: one face on one thread, here.
        sources: the first is the one that ``trials`` are of.
        threshold: cosine that pairs were tried at; None for expressions.
        people, origin: None where they were not given.
        command: what was typed to make the card.
        runs_on: processors on which the file computes the same.
        earlier_origin: Markdown, how the model was made by the card that its file has, where ``origin`` is None.
    """

    file: str
    info: ModelInfo
    bytes: int
    width: int
    macs: int
    latency: Latency
    machine: Machine
    sources: tuple[SourceResult, ...]
    trials: tuple[CorruptionResult, ...]
    threshold: float | None = None
    people: DemographicResult | None = None
    origin: Provenance | None = None
    command: str = ""
    runs_on: str = ""
    earlier_origin: str = ""


ORIGIN = "How it was made"
"""Heading of the section that a later card keeps where the run is gone."""
EARLIER = "The run's folder was not at hand; this is what an earlier card of the model says."
NO_RUN = "The folder of its run was not at hand"
"""How that section begins where nothing is known."""


def earlier_origin(card: str) -> str:
    """The section on how the model was made of an earlier card, without what that card says of itself; "" where it has none."""
    found = re.search(
        rf"^## {ORIGIN}\n\n(.*?)\n\n(The file itself: |Made with |This card is printed by:|## )",
        card,
        re.DOTALL | re.MULTILINE,
    )
    return "" if found is None or found[1].startswith(NO_RUN) else found[1].removeprefix(EARLIER).lstrip()


def measured(
    path: str | Path,
    *,
    faces: Sequence[str] = (),
    people: str = "",
    pairs: str = "",
    run: str = "",
    split: str = "test",
    threads: int = 0,
    command: str = "",
    say: Say = lambda line: None,
) -> Card:
    """Measures a model file for its card.

    Args:
        faces: written sources with classes, for an expression model. pairs: one with pairs, for an identity model.
        people: a source whose names are as UTKFace's.
        run: the folder of the run that made the file.
        split: of ``faces``.
        command: what was typed, for the card to say.
        say: is told what is being done.

    Raises FaceletError for what does not fit the model, before anything is measured.
    """
    path, where = Path(path), machine()
    model = Model.load(path, threads=threads, fall_back=False)
    _require_fitting(model, faces, pairs, split)
    if model.info.protocol:
        Protocol.from_json(model.info.protocol)
    origin = read_origin(run, path) if run else None
    size, channels = model.info.input.cut_size, model.info.input.channels
    margin = model.info.crop.margin if pairs else None
    portraits = load(people, size=size, channels=channels, margin=margin) if people else None
    groups, skipped = grouped(portraits.names.tolist()) if portraits else ([], 0)
    threshold = None
    if pairs:
        fitted = framed(load_pairs(pairs), model.info)
        sources, trials, threshold, width = _on_pairs(model, fitted, say)
        shown = fitted.images
    else:
        sets = [load(source, size=size, channels=channels) for source in faces]
        for one in sets:
            _require_shared(model, one.labelled(split))
        sources, trials = _on_faces(model, sets, split, say)
        shown, width = sets[0].split(split).images, len(model.labels)
    told = None
    if portraits:
        say("measuring: people by age, gender and race")
        rows: list[GroupConfidence] | list[FalseMatches]
        if threshold is None:
            rows = sureness(model.probabilities(portraits.images), groups)
        else:
            rows = strangers(embedded(model.logits, portraits.images), groups, threshold)
        told = DemographicResult(people, len(portraits), skipped, rows)
    say("measuring: latency")
    return Card(
        file=path.name,
        info=model.info,
        bytes=path.stat().st_size - _card_bytes(model.info),
        width=width,
        macs=model.info.macs or file_cost(path).macs,
        latency=bench([path], faces=shown[:TIMED])[0],
        machine=where,
        sources=tuple(sources),
        trials=tuple(trials),
        threshold=threshold,
        people=told,
        origin=origin,
        command=command,
        runs_on=runs_on(model.info, model_file.content(path)),
        earlier_origin="" if origin else earlier_origin(model.info.card),
    )


def _require_fitting(model: Model, faces: Sequence[str], pairs: str, split: str) -> None:
    """Raises FaceletError unless the sources are of what the model answers about."""
    if split not in SPLITS:
        raise unknown("split", split, SPLITS)
    if pairs and faces:
        raise FaceletError("--faces is for expression models and --pairs for identity models; give one of them")
    if pairs:
        require_identity(model)
        if split != "test":
            raise FaceletError(f"split {split!r}: pairs have no splits; they are all for testing, so leave --split out")
        if model.info.threshold is None:
            raise FaceletError(f"{model.path} has no threshold, and a card says what it accepts; a run chooses one")
    elif model.info.task == "identity":
        raise FaceletError(
            f"{model.path} is a model for identity, which is measured on pairs of faces, not on classes: --pairs lfw:PATH"
        )
    elif not faces:
        raise FaceletError(f"{model.path} is a model for expression; say what to measure it on: --faces SOURCE")
    else:
        require_task(model, "expression")


def _require_shared(model: Model, faces: FaceSet) -> None:
    """Raises FaceletError unless some class of ``faces`` is among the model's labels."""
    if (match_labels(faces.classes, model.labels) < 0).all():
        raise FaceletError(
            f"the labels of {model.path} ({', '.join(model.labels)}) and the classes of {faces.source} "
            f"({', '.join(faces.classes)}) share no name"
        )


def _on_faces(
    model: Model, sets: Sequence[FaceSet], split: str, say: Say
) -> tuple[list[SourceResult], list[CorruptionResult]]:
    """An expression model on one split of each set, and under the conditions on that of the first."""
    sources, told = [], model.info.protocol
    for one in sets:
        say(f"measuring: {one.source}")
        own = Protocol.from_json(told).hash == one.protocol.hash if told else False
        sources.append(SourceResult(one.protocol, one.licence, evaluate_model(model, one, split), own))
    plain = sources[0].result
    assert isinstance(plain, Classification)
    return sources, robustness.on_faces(model, sets[0], plain, say)


def _on_pairs(model: Model, pairs: PairSet, say: Say) -> tuple[list[SourceResult], list[CorruptionResult], float, int]:
    """An identity model on pairs, under the conditions, at which threshold, and the length of its embeddings."""
    say(f"measuring: {pairs.source}")
    embeddings = embedded(model.logits, pairs.images)
    result = verified(embeddings, pairs)
    threshold = model.info.threshold
    assert threshold is not None
    trials = robustness.on_pairs(model, pairs, embeddings, threshold, say)
    return [SourceResult(pairs.protocol, pairs.licence, result, None)], trials, threshold, embeddings.shape[1]


def _card_bytes(info: ModelInfo) -> int:
    """What a card adds to a file."""
    return len(info.model_dump_json().encode()) - len(info.model_copy(update={"card": ""}).model_dump_json().encode())
