"""Model card: measures a model file's accuracy, robustness, confidence by demographic group, latency and provenance.

>>> card = measured("student-int8.onnx", faces=["ferplus:ferplus.zip"], people="faces:utkface.zip", run="runs/tsnet")
>>> card.sources[0].result.accuracy, card.trials[1].condition, card.people.rows[0].confidence
(0.82, 'blur', 0.71)

``markdown`` renders the card. After Mitchell et al. 2019 (https://arxiv.org/abs/1810.03993). The figures hold for the measured
faces only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facelet.errors import FaceletError, unknown
from facelet.faces import SPLITS, FaceSet, Protocol, load, load_pairs
from facelet.measure.card import robustness
from facelet.measure.card.demographics import FalseMatches, GroupConfidence, grouped, strangers, sureness
from facelet.measure.card.provenance import Provenance, read_origin
from facelet.measure.card.robustness import CorruptionResult, Say
from facelet.measure.classification import ALL, Classification
from facelet.measure.cross_set import CrossSetRow, cross_set_row
from facelet.measure.efficiency.cost import file_cost
from facelet.measure.efficiency.latency import TIMED, Latency, bench
from facelet.measure.efficiency.machine import Machine, machine
from facelet.measure.evaluation import evaluate_model, part_of
from facelet.measure.metrics.labels import match_labels
from facelet.measure.pair_evaluation import framed, require_identity
from facelet.measure.verification import PairScores, embedded, verified
from facelet.models import model_file
from facelet.models.model_file import ModelInfo
from facelet.runtime.check import runs_on
from facelet.runtime.model import Model, require_task


@dataclass(frozen=True)
class SourceResult:
    """Results of a model on one source.

    Attributes:
        protocol: protocol of the source.
        licence: licence of its faces.
        result: results on one split, or on pairs.
        own: whether the model was trained under the same protocol; None for pairs. False does not exclude that the model was
            trained on some of these faces.
        cross_set: figures over the faces of the classes that source and model share; None for pairs.
    """

    protocol: Protocol
    licence: str
    result: Classification | PairScores
    own: bool | None
    cross_set: CrossSetRow | None = None


@dataclass(frozen=True)
class DemographicResult:
    """Results on faces with known age, gender and race. ``skipped``: number of faces whose names lack these labels."""

    source: str
    faces: int
    skipped: int
    rows: list[GroupConfidence] | list[FalseMatches]


@dataclass(frozen=True)
class Card:
    """Content of a model card.

    Attributes:
        file: name of the model file. bytes: its size without a card. width: number of classes or embedding dimensions.
        macs: for one face. latency, machine: of one face on one thread, on this machine.
        sources: results by source; ``trials`` use the faces of the first.
        threshold: cosine similarity at which pairs are accepted; None for expressions.
        people, origin: None when not given.
        command: command line that created the card.
        runs_on: processors on which the file computes the same outputs.
        earlier_origin: Markdown, the provenance section of the card stored in the file; used when ``origin`` is None.
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
"""Heading of the provenance section, which a later card copies when the run's folder is missing."""
EARLIER = "Copied from an earlier card, because the run's folder is not available."
NO_RUN = "The run's folder is not available"
"""Start of that section when nothing is known."""


def earlier_origin(card: str) -> str:
    """Returns the provenance section of an earlier card, without the lines about that card itself; "" if it has none."""
    section = re.search(
        rf"^## {ORIGIN}\n\n(.*?)\n\n(The file itself: |Made with |This card is printed by:|## )",
        card,
        re.DOTALL | re.MULTILINE,
    )
    return "" if section is None or section[1].startswith(NO_RUN) else section[1].removeprefix(EARLIER).lstrip()


def measured(
    path: str | Path,
    *,
    faces: Sequence[str] = (),
    people: str = "",
    pairs: Sequence[str] = (),
    run: str = "",
    split: str = "test",
    threads: int = 0,
    command: str = "",
    say: Say = lambda line: None,
) -> Card:
    """Measures a model file for its card.

    Args:
        path: model file, or the name of a bundled model.
        faces: sources of faces with classes (``ferplus:PATH``), for an expression model.
        people: source of faces with UTKFace's file names.
        pairs: sources of pairs (``lfw:PATH``), for an identity model.
        run: folder of the run that made the file.
        split: split of ``faces`` to measure on. Further sources that the model's training protocol does not name are measured on
            all their faces.
        threads: of ONNX Runtime; 0 for its default.
        command: command line to print in the card.
        say: callback for progress messages.

    Raises FaceletError for sources that do not fit the model, before measuring anything.
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
    groups, skipped = grouped(portraits.names.tolist(), children_apart=bool(pairs)) if portraits else ([], 0)
    threshold = None
    if pairs:
        sources, trials, threshold, width, shown = _on_pairs(model, pairs, say)
    else:
        sets = [load(written, size=size, channels=channels) for written in faces]
        for source, part in zip(sets, _parts(model, sets, split), strict=True):
            _require_shared(model, source.labelled(part) if part != ALL else source)
        sources, trials = _on_faces(model, sets, split, say)
        shown, width = sets[0].split(split).images, len(model.labels)
    demographics = None
    if portraits:
        say("measuring: people by age, gender and race")
        rows: list[GroupConfidence] | list[FalseMatches]
        if threshold is None:
            rows = sureness(model.probabilities(portraits.images), groups)
        else:
            rows = strangers(embedded(model.logits, portraits.images), groups, threshold)
        demographics = DemographicResult(people, len(portraits), skipped, rows)
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
        people=demographics,
        origin=origin,
        command=command,
        runs_on=runs_on(model.info, model_file.content(path)),
        earlier_origin="" if origin else earlier_origin(model.info.card),
    )


def _require_fitting(model: Model, faces: Sequence[str], pairs: Sequence[str], split: str) -> None:
    """Raises FaceletError unless the sources fit the model's task."""
    if split not in SPLITS:
        raise unknown("split", split, SPLITS)
    if pairs and faces:
        raise FaceletError("--faces is for expression models and --pairs for identity models; give one of them")
    if pairs:
        require_identity(model)
        if split != "test":
            raise FaceletError(f"split {split!r}: pairs have no splits; they are all for testing, so leave --split out")
        if model.info.threshold is None:
            raise FaceletError(f"{model.path} has no threshold, which a card needs; `facelet run` chooses one")
    elif model.info.task == "identity":
        raise FaceletError(
            f"{model.path} is an identity model, which is measured on pairs of faces, not on classes: --pairs lfw:PATH"
        )
    elif not faces:
        raise FaceletError(f"{model.path} is an expression model; give the faces to measure it on: --faces SOURCE")
    else:
        require_task(model, "expression")


def _require_shared(model: Model, faces: FaceSet) -> None:
    """Raises FaceletError unless some class of ``faces`` is among the model's labels."""
    if (match_labels(faces.classes, model.labels) < 0).all():
        raise FaceletError(
            f"the labels of {model.path} ({', '.join(model.labels)}) and the classes of {faces.source} "
            f"({', '.join(faces.classes)}) have no name in common"
        )


def _on_faces(
    model: Model, sets: Sequence[FaceSet], split: str, say: Say
) -> tuple[list[SourceResult], list[CorruptionResult]]:
    """Measures an expression model on one part of each set, and on corrupted faces of the first set."""
    sources, trained = [], model.info.protocol
    for faces, part in zip(sets, _parts(model, sets, split), strict=True):
        say(f"measuring: {faces.source}")
        own = Protocol.from_json(trained).hash == faces.protocol.hash if trained else False
        result = evaluate_model(model, faces, part)
        row = cross_set_row(result, faces.protocol, model.info)
        sources.append(SourceResult(faces.protocol, faces.licence, result, own, row))
    plain = sources[0].result
    assert isinstance(plain, Classification)
    return sources, robustness.on_faces(model, sets[0], plain, say)


def _parts(model: Model, sets: Sequence[FaceSet], split: str) -> list[str]:
    """The part of each set to measure on: ``split``, or ALL of a further set that the training protocol does not name."""
    return [split, *(part_of(model.info, faces.source, split) for faces in sets[1:])]


def _on_pairs(
    model: Model, written: Sequence[str], say: Say
) -> tuple[list[SourceResult], list[CorruptionResult], float, int, NDArray[np.uint8]]:
    """Measures an identity model on sources of pairs, and on corrupted faces of the first.

    Returns the results, those on corrupted faces, the threshold, the dimension and the faces of the first source.
    """
    threshold = model.info.threshold
    assert threshold is not None
    sources: list[SourceResult] = []
    for source in written:
        pairs = framed(load_pairs(source), model.info)
        say(f"measuring: {pairs.source}")
        embeddings = embedded(model.logits, pairs.images)
        if not sources:
            first = pairs, embeddings
        sources.append(SourceResult(pairs.protocol, pairs.licence, verified(embeddings, pairs), None))
    pairs, embeddings = first
    trials = robustness.on_pairs(model, pairs, embeddings, threshold, say)
    return sources, trials, threshold, embeddings.shape[1], pairs.images


def _card_bytes(info: ModelInfo) -> int:
    """Returns the number of bytes that the card adds to the file."""
    return len(info.model_dump_json().encode()) - len(info.model_copy(update={"card": ""}).model_dump_json().encode())
