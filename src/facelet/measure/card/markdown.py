"""The model card as Markdown: ``card.md.j2`` filled with what was measured.

>>> files.write_text("student-int8.md", markdown(measured("student-int8.onnx", faces=["ferplus:ferplus.zip"])))

Words about limits and uses are the template's; everything that comes from users or files is written as text, not as Markdown.
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
from facelet.measure.classification import Classification
from facelet.measure.metrics.intervals import Difference, mean_of_shares, wilson
from facelet.measure.metrics.scores import BINS, Scores
from facelet.measure.verification import PairScores
from facelet.models.model_file import ModelInfo
from facelet.text import amount, as_text, duration, megabytes, milliseconds, percent, signed

FEW = 100
"""Faces of a class below which its recall is hardly known: an interval of ten points to either side."""
RANGES = (0.0, 0.5, 0.7, 0.9, 1.0)
"""Of the highest probability."""
MISTAKES = 6
CROPS = {
    "box": "a square around the middle of the detector's box, its side the box's longer one",
    "eyes": "turned until the eyes are level, and scaled by their distance",
    "five-points": "five landmarks laid on ArcFace's template",
}


@dataclass(frozen=True)
class Range:
    """Answers of one range of confidence: ``n`` of them, how sure on average, and how often right, with its interval."""

    name: str
    n: int
    confidence: float
    accuracy: float
    low: float
    high: float


@dataclass(frozen=True)
class Mistake:
    """``count`` of ``n`` faces of class ``truth`` are taken for ``answer``."""

    truth: str
    answer: str
    count: int
    n: int


def markdown(card: Card) -> str:
    """The whole card."""
    environment = Environment(  # Markdown, so nothing is escaped for HTML: ``as_text`` does what is needed
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
        precision=precision,
        taken=taken,
        mistakes=mistakes,
        ranges=ranges,
        fenced=fenced,
        rare=[row for row in first.result.all.per_class if 0 < row.n < FEW]
        if isinstance(first.result, Classification)
        else [],
        lead=lead(card),
        BINS=BINS,
        FEW=FEW,
        EARLIER=EARLIER,
        NO_RUN=NO_RUN,
        UNSURE=UNSURE,
    )


def lead(card: Card) -> str:
    """What the model is, in one or two sentences."""
    result, source = card.sources[0].result, card.sources[0].protocol.source
    cost = f"{megabytes(card.bytes)} ({card.info.precision}) and {milliseconds(card.latency.p50_ms)} a face"
    if isinstance(result, PairScores):
        told = f"{100 * result.accuracy:.2f} ± {100 * result.standard_error:.2f} % of {len(result.same):,} pairs"
        what = f"turns a face into {card.width} numbers that are near those of the same person's other photos"
        return f"It {what}. It answers {told} of {source} rightly, in {cost}."
    scores = result.all
    told = f"{share(scores.accuracy, scores.accuracy_low, scores.accuracy_high)} of {scores.n:,} {result.split} faces"
    always = f"always answering {scores.largest.name} gives {percent(scores.baseline)}"
    beside = f"; {always}" if scores.beats_baseline else f". That is no better than a guess: {always}"
    return f"It says which of {card.width} expressions a face shows. It answers {told} of {source} rightly, in {cost}{beside}."


def about(one: SourceResult) -> str:
    """What an expression model has had to do with these faces before; "" of pairs."""
    if one.own is None or isinstance(one.result, PairScores):
        return ""
    if not one.own:
        whole = " These are no test faces, which flatters if it has." if one.result.split != "test" else ""
        return f" The model was made under another protocol; whether it has seen these faces is not known.{whole}"
    return {
        "train": " **The model was trained on these faces.**",
        "val": " **Choices were made by these faces, which flatters.**",
        "test": " The model was trained on the training faces of this source.",
    }[one.result.split]


def share(value: float, low: float, high: float, digits: int = 1) -> str:
    """ "82.4 % (81.1–83.7)"."""
    return f"{percent(value, digits)} ({100 * low:.{digits}f}–{100 * high:.{digits}f})"


def difference(change: Difference) -> str:
    """ "−0.4 (−0.9 to +0.1)", in points."""
    return f"{signed(change.value)} ({signed(change.low)} to {signed(change.high)})"


def balanced(scores: Scores) -> str:
    """Balanced accuracy with its interval."""
    rows = [row for row in scores.per_class if row.n]
    low, high = mean_of_shares([round(row.recall * row.n) for row in rows], [row.n for row in rows])
    return share(scores.balanced_accuracy, low, high)


def precision(scores: Scores, number: int) -> str:
    """Of class ``number`` with its interval, "" when it was never answered."""
    right, answered = int(scores.confusion[number, number]), int(scores.confusion[:, number].sum())
    return share(right / answered, *wilson(right, answered)) if answered else ""


def taken(scores: Scores, number: int) -> str:
    """What class ``number`` is most often taken for, and how often; "" when never for another."""
    others = scores.confusion[number].copy()
    others[number] = 0
    n = scores.per_class[number].n
    return f"{scores.labels[others.argmax()]} ({100 * others.max() / n:.0f} %)" if others.any() else ""


def mistakes(scores: Scores) -> list[Mistake]:
    """The most frequent ones, at most MISTAKES."""
    counts = scores.confusion.copy()
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:MISTAKES]
    places = [(int(place) // counts.shape[1], int(place) % counts.shape[1]) for place in order]
    return [
        Mistake(scores.classes[truth], scores.labels[answer], int(counts[truth, answer]), scores.per_class[truth].n)
        for truth, answer in places
        if counts[truth, answer]
    ]


def ranges(result: Classification) -> list[Range]:
    """How often the answers of each range of confidence are right; ranges without answers are left out."""
    sure, found = result.probabilities.max(1).astype(np.float64), []
    for low, high in pairwise(RANGES):
        rows = (sure >= low) & ((sure < high) | (high == RANGES[-1]))
        n, right = int(rows.sum()), int(result.correct[rows].sum())
        if n:
            name = f"below {100 * high:.0f} %" if low == 0 else f"{100 * low:.0f} to {100 * high:.0f} %"
            found.append(Range(name, n, float(sure[rows].mean()), right / n, *wilson(right, n)))
    return found


def crop(info: ModelInfo) -> str:
    """How a face is cut from a photo, in words."""
    margin = f", with {100 * info.crop.margin:g} % of it added on each side" if info.crop.margin else ""
    way = f", at {info.input.cut} px, and brought to {info.input.size} px from there" if info.input.cut else ""
    return CROPS[info.crop.align] + margin + way


def in_code(text: str) -> str:
    """Text between backticks."""
    return as_text(text).replace("\\`", "")


def fenced(text: str, language: str = "") -> str:
    """A block of code whose fence is longer than any in it."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
