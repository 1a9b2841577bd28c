"""The model card as Markdown: renders the template ``card.md.j2`` with a measured ``Card``.

>>> files.write_text("student-int8.md", markdown(measured("student-int8.onnx", faces=["ferplus:ferplus.zip"])))

The text about limits and uses is part of the template. Text from users or files is escaped, so that it cannot act as Markdown.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from importlib import resources
from itertools import pairwise

import numpy as np
from jinja2 import Environment, StrictUndefined

from facelet.faces import Protocol
from facelet.measure.card.card import EARLIER, NO_RUN, Card, SourceResult
from facelet.measure.card.demographics import UNSURE
from facelet.measure.card.front_matter import front_matter
from facelet.measure.classification import Classification
from facelet.measure.metrics.intervals import Difference, Estimate, wilson
from facelet.measure.metrics.scores import BINS, Scores
from facelet.measure.verification import PairScores
from facelet.models.model_file import ModelInfo
from facelet.text import amount, as_text, duration, megabytes, milliseconds, percent, signed

FEW = 100
"""Classes with fewer faces are listed as uncertain: the interval of their recall reaches ten points to either side."""
RANGES = (0.0, 0.5, 0.7, 0.9, 1.0)
"""Edges of the confidence ranges (highest probability)."""
MISTAKES = 6
"""Number of listed errors at most."""
CROPS = {
    "box": "a square centred on the detector's box, with the box's longer side",
    "eyes": "rotated until the eyes are level, and scaled by their distance",
    "five-points": "five landmarks aligned to ArcFace's template",
}


@dataclass(frozen=True)
class Range:
    """Predictions in one range of confidence: number, mean confidence, and accuracy with its 95 % interval."""

    name: str
    n: int
    confidence: float
    accuracy: float
    low: float
    high: float


@dataclass(frozen=True)
class Mistake:
    """``count`` of ``n`` faces of class ``truth`` are classified as ``predicted``."""

    truth: str
    predicted: str
    count: int
    n: int


def markdown(card: Card) -> str:
    """Returns the whole card as Markdown."""
    environment = Environment(  # no HTML escaping in Markdown; the ``as_text`` filter escapes foreign text
        autoescape=False, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters |= {
        "text": as_text,
        "code": in_code,
        "percent": percent,
        "amount": amount,
        "megabytes": megabytes,
        "milliseconds": milliseconds,
        "duration": duration,
        "difference": difference,
    }
    template = environment.from_string(resources.files(__package__).joinpath("card.md.j2").read_text("utf-8"))
    info, first = card.info, card.sources[0]
    return template.render(
        card=card,
        info=info,
        name=info.name or card.file,
        first=first,
        expression=info.task == "expression",
        trained=Protocol.from_json(info.protocol) if info.protocol else None,
        crop=crop(info),
        in_shell=shlex.quote(card.file),
        in_python=json.dumps(card.file, ensure_ascii=False),
        about=about,
        share=share,
        balanced=balanced,
        estimate=estimate,
        precision=precision,
        taken=taken,
        mistakes=mistakes,
        ranges=ranges,
        fenced=fenced,
        rare=[row for row in first.result.all.per_class if 0 < row.n < FEW]
        if isinstance(first.result, Classification)
        else [],
        lead=lead(card),
        front_matter=front_matter(card),
        BINS=BINS,
        FEW=FEW,
        EARLIER=EARLIER,
        NO_RUN=NO_RUN,
        UNSURE=UNSURE,
    )


def lead(card: Card) -> str:
    """Returns one or two sentences: the task, the accuracy on the first source and the cost."""
    result, source = card.sources[0].result, card.sources[0].protocol.source
    cost = f"{megabytes(card.bytes)} ({card.info.precision}), {milliseconds(card.latency.p50_ms)} per face"
    if isinstance(result, PairScores):
        accuracy = f"{100 * result.accuracy:.2f} ± {100 * result.standard_error:.2f} %"
        return (
            f"Face embedding model with {card.width} dimensions, for face verification. "
            f"Accuracy on {source}: {accuracy} (n = {len(result.same):,} pairs). Cost: {cost}."
        )
    scores = result.all
    interval = f"95 % CI {100 * scores.accuracy_low:.1f}–{100 * scores.accuracy_high:.1f}, n = {scores.n:,}"
    baseline = f"always predicting {scores.largest.name} reaches {percent(scores.baseline)}"
    return (
        f"Facial expression classifier with {card.width} classes. "
        f"Accuracy on {source} {result.split}: {percent(scores.accuracy)} ({interval}); "
        f"{'' if scores.beats_baseline else 'no better than the baseline: '}{baseline}. Cost: {cost}."
    )


def about(source: SourceResult) -> str:
    """Returns how the faces of a source relate to the training of an expression model; "" for pairs."""
    if source.own is None or isinstance(source.result, PairScores):
        return ""
    if source.cross_set is not None and source.cross_set.trained_on is False:
        return " The model's training sources do not include this one: validation across data sets only."
    if not source.own:
        caution = " This is not a test split: the figures may be too good." if source.result.split != "test" else ""
        return f" The model was made under another protocol and may have been trained on these faces.{caution}"
    return {
        "train": " **The model was trained on these faces.**",
        "val": " **These faces were used for model selection, so the figures are too good.**",
        "test": " The model was trained on the training faces of this source.",
    }[source.result.split]


def share(value: float, low: float, high: float, digits: int = 1) -> str:
    """Returns a share with its interval: "82.4 % (81.1–83.7)"."""
    return f"{percent(value, digits)} ({100 * low:.{digits}f}–{100 * high:.{digits}f})"


def estimate(figure: Estimate) -> str:
    """Returns an estimate as ``share``."""
    return share(figure.value, figure.low, figure.high)


def difference(change: Difference) -> str:
    """Returns a difference in percentage points with its interval: "−0.4 (−0.9 to +0.1)"."""
    return f"{signed(change.value)} ({signed(change.low)} to {signed(change.high)})"


def balanced(scores: Scores) -> str:
    """Returns the balanced accuracy with its 95 % interval."""
    return estimate(scores.balanced)


def precision(scores: Scores, number: int) -> str:
    """Returns the precision of class ``number`` with its 95 % interval; "" when it was never predicted."""
    correct, predicted = int(scores.confusion[number, number]), int(scores.confusion[:, number].sum())
    return share(correct / predicted, *wilson(correct, predicted)) if predicted else ""


def taken(scores: Scores, number: int) -> str:
    """Returns the class that class ``number`` is most often confused with, and how often; "" without errors."""
    others = scores.confusion[number].copy()
    others[number] = 0
    n = scores.per_class[number].n
    return f"{scores.labels[others.argmax()]} ({100 * others.max() / n:.0f} %)" if others.any() else ""


def mistakes(scores: Scores) -> list[Mistake]:
    """Returns the most frequent errors, at most MISTAKES."""
    counts = scores.confusion.copy()
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:MISTAKES]
    places = [(int(place) // counts.shape[1], int(place) % counts.shape[1]) for place in order]
    return [
        Mistake(
            scores.classes[truth], scores.labels[predicted], int(counts[truth, predicted]), scores.per_class[truth].n
        )
        for truth, predicted in places
        if counts[truth, predicted]
    ]


def ranges(result: Classification) -> list[Range]:
    """Returns the accuracy in each range of confidence; ranges without faces are left out."""
    confidence, ranges = result.probabilities.max(1).astype(np.float64), []
    for low, high in pairwise(RANGES):
        rows = (confidence >= low) & ((confidence < high) | (high == RANGES[-1]))
        n, correct = int(rows.sum()), int(result.correct[rows].sum())
        if n:
            name = f"below {100 * high:.0f} %" if low == 0 else f"{100 * low:.0f} to {100 * high:.0f} %"
            ranges.append(Range(name, n, float(confidence[rows].mean()), correct / n, *wilson(correct, n)))
    return ranges


def crop(info: ModelInfo) -> str:
    """Returns a description of how faces are cropped from photos."""
    margin = f", plus a margin of {100 * info.crop.margin:g} % on each side" if info.crop.margin else ""
    resizing = f", cropped at {info.input.cut} px and resized to {info.input.size} px" if info.input.cut else ""
    return CROPS[info.crop.align] + margin + resizing


def in_code(text: str) -> str:
    """Escapes text for use between backticks."""
    return as_text(text).replace("\\`", "")


def fenced(text: str, language: str = "") -> str:
    """Returns a fenced code block; the fence is longer than any inside ``text``."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
