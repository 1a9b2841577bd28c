"""Verdict: a sentence about a model's gain or loss in size, speed and accuracy against the model it is compared with.

>>> verdict(student_int8, student, paired_difference(correct_int8, correct_student))
'3.6× smaller, 1.9× faster, −0.1 points (inside the interval)'

A difference whose interval contains zero is not called a gain or a loss. This does not prove that the difference is zero.
"""

from __future__ import annotations

from facelet.errors import FaceletError
from facelet.measure.ledger.row import Row
from facelet.measure.metrics.intervals import Difference, unpaired_difference
from facelet.text import percent, points, signed, times


def verdict(row: Row, parent: Row | None, difference: Difference | None = None) -> str:
    """Returns the gain and loss of ``row`` against ``parent`` (for a control: the model it controls for).

    ``difference`` is the accuracy of ``row`` minus that of ``parent`` on the same faces; default: computed from the rows'
    intervals, which is wider. There is no verdict when time limits led to unequal numbers of training steps
    (``row.unequal_steps``, see ledger.effort). An accuracy that is no better than the baseline is reported as such.
    Raises FaceletError for rows of different protocols, splits or numbers of faces.
    """
    text = _comparison(row, parent, difference)
    if row.beats_baseline:
        return text
    worthless = f"no better than {row.baseline_words}"
    return f"{text}; it is {worthless}" if row.control else f"{worthless}; {text}"


def _comparison(row: Row, parent: Row | None, difference: Difference | None) -> str:
    """Returns the verdict without the check against the baseline."""
    if parent is None:
        kind, missing = ("control", "model with the same net") if row.control else ("first model", "earlier model")
        return f"{kind}: accuracy {percent(row.accuracy)} (n = {row.n:,} {row.unit}), no {missing} to compare with"
    require_comparable(row, parent)
    difference = difference or from_rows(row, parent)
    if row.unequal_steps:
        return f"{'control: ' * row.control}no verdict: {row.unequal_steps}, with a length set by minutes"
    if row.control:
        return _of_control(row, parent, difference)
    if row.kind == "stopping":
        return _of_stopping(row, parent, difference, row.allowance)
    if row.kind == "shrinking":
        return _of_shrinking(row, parent, difference, row.allowance)
    sizes = compared_sizes(row, parent)
    if sizes:
        return ", ".join([*sizes, worded(difference)])
    return _gain(difference)


def compared(row: Row, parent: Row | None, difference: Difference | None = None) -> Row:
    """Returns ``row`` with its change and verdict filled in. Raises FaceletError as ``verdict``."""
    if parent is None:
        return row.model_copy(update={"verdict": verdict(row, None)})
    require_comparable(row, parent)
    difference = difference or from_rows(row, parent)
    return row.model_copy(
        update={
            "change": difference.value,
            "change_low": difference.low,
            "change_high": difference.high,
            "verdict": verdict(row, parent, difference),
        }
    )


def require_comparable(row: Row, parent: Row) -> None:
    """Raises FaceletError unless both rows have the same protocol, split and number of faces."""
    for name in ("protocol", "split", "n"):
        own, other = getattr(row, name), getattr(parent, name)
        if own != other:
            raise FaceletError(
                f"{row.name!r} and {parent.name!r} cannot be compared: their {name} differs ({own} and {other})"
            )


def compared_sizes(row: Row, parent: Row) -> list[str]:
    """Returns ratios of 1.1 or more, as "8.9× smaller" and "3.1× faster". Speeds of different machines are left out."""
    parts = []
    if row.bytes and parent.bytes:
        parts.append(_ratio(parent.bytes / row.bytes, "smaller", "larger"))
    if speeds_compare(row, parent):
        parts.append(_ratio(parent.p50_ms / row.p50_ms, "faster", "slower"))
    return [part for part in parts if part]


def speeds_compare(row: Row, parent: Row) -> bool:
    """Returns whether both rows have a latency, measured on the same machine."""
    return row.p50_ms > 0 and parent.p50_ms > 0 and row.machine == parent.machine


def from_rows(row: Row, parent: Row) -> Difference:
    """Returns the unpaired difference of two rows, from their accuracies and intervals; wider than the paired one."""
    own, other = (row.accuracy_low, row.accuracy_high), (parent.accuracy_low, parent.accuracy_high)
    return unpaired_difference(row.accuracy, own, parent.accuracy, other, row.n)


def _ratio(ratio: float, more: str, less: str) -> str:
    if ratio >= 1.1:
        return f"{times(ratio)} {more}"
    return f"{times(1 / ratio)} {less}" if ratio <= 1 / 1.1 else ""


def _interval(difference: Difference) -> str:
    return f"{signed(difference.low)} to {signed(difference.high)}"


def worded(difference: Difference) -> str:
    """Returns the difference as "−2.1 points (−3.0 to −1.2)" or "−0.1 points (inside the interval)"."""
    place = _interval(difference) if difference.measurable else "inside the interval"
    return f"{points(difference.value)} ({place})"


def _gain(difference: Difference) -> str:
    kind = "gain" if difference.value >= 0 else "loss"
    if difference.measurable:
        return f"{worded(difference)}: a measurable {kind}"
    return f"{points(difference.value)}, inside the interval: no measurable {kind}"


def _of_shrinking(row: Row, parent: Row, difference: Difference, allowance: float | None) -> str:
    what = row.precision if row.precision != parent.precision else "it"
    whose = f"its {parent.precision} parent" if row.precision != parent.precision else "its parent"
    missed = []
    if row.bytes >= parent.bytes:
        missed.append(f"not smaller than {whose}")
    if speeds_compare(row, parent) and row.p50_ms >= parent.p50_ms:
        missed.append(f"slower than {whose}" if row.p50_ms > 1.03 * parent.p50_ms else f"no faster than {whose}")
    costly, accuracy = _cost(difference, allowance)
    sizes = compared_sizes(row, parent)
    if missed:
        return "; ".join([f"no gain: {what} is {' and '.join(missed)}", ", ".join([*sizes, accuracy])])
    if costly:
        return f"{', '.join(sizes) or 'hardly smaller'}, but {accuracy}"
    return ", ".join([*sizes, accuracy]) if sizes else f"hardly smaller, hardly faster, {accuracy}"


def _cost(difference: Difference, allowance: float | None) -> tuple[bool, str]:
    """Returns whether the loss of accuracy exceeds the allowance, and a description of the difference."""
    if allowance is None or difference.value >= -allowance:
        return False, worded(difference)
    return True, f"{worded(difference)}, more than the {100 * allowance:.1f} points allowed"


def _of_stopping(row: Row, parent: Row, difference: Difference, allowance: float | None) -> str:
    """Returns the verdict on an early-exit model; it uses mean times, because the median is the time of a single exit."""
    costly, accuracy = _cost(difference, allowance)
    if not (speeds_compare(row, parent) and row.mean_ms and parent.mean_ms):
        return accuracy
    ratio = f"{row.mean_ms / parent.mean_ms:.2f}× the mean time of {parent.name}"
    if row.mean_ms >= parent.mean_ms:
        return f"no gain: {ratio}, {accuracy}"
    return f"{ratio}, {'but ' * costly}{accuracy}"


def _of_control(row: Row, parent: Row, difference: Difference) -> str:
    """Returns the verdict on a control; ``difference`` is the control's accuracy minus the model's."""
    lead, name = difference.reversed, parent.name
    sizes = [] if (row.params, row.precision) == (parent.params, parent.precision) else compared_sizes(row, parent)
    if sizes:
        return f"control: compared with {name} {', '.join([*sizes, worded(difference)])}"
    if not lead.measurable:
        return f"control: no measurable difference from {name} ({points(difference.value)}, inside the interval)"
    if lead.value > 0:
        return f"control: {name} is better by {points(lead.value).lstrip('+−')} ({_interval(lead)})"
    better = f"{points(difference.value).lstrip('+−')} ({_interval(difference)})"
    return f"control: better than {name} by {better}: the additions to {name} cost accuracy"
