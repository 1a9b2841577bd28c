"""Sensitivity of layers to quantization, and the smallest number of layers that must stay in float.

>>> ranking = rank(calibrated, QuantizationConfig("u8s8"), inputs)
>>> floats = fewest(ranking, holds=lambda layers: accuracy_of(layers) >= enough)

The sensitivity of a layer is the change of the logits when only this layer is quantized, so interactions between layers are not
included; ``fewest`` measures the actual accuracy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from facelet.shrink.int8.qdq import Calibrated, QuantizationConfig


def rank(graph: Calibrated, choice: QuantizationConfig, inputs: NDArray[np.float32]) -> list[str]:
    """Returns the names of the computing nodes, most sensitive first.

    Args:
        graph: calibrated graph.
        choice: quantization types; its ``floats`` are ignored.
        inputs: float32 (N, C, H, W), preprocessed.
    """
    whole = graph.computing
    reference = _logits(graph.quantized(replace(choice, floats=whole)), inputs)
    moved = {}
    for name in whole:
        others = tuple(other for other in whole if other != name)
        moved[name] = float(
            np.square(_logits(graph.quantized(replace(choice, floats=others)), inputs) - reference).mean()
        )
    return sorted(whole, key=lambda name: -moved[name])


def fewest(ranking: Sequence[str], holds: Callable[[tuple[str, ...]], bool]) -> tuple[str, ...] | None:
    """Returns the shortest prefix of ``ranking`` for which ``holds``, by doubling and bisection; None if not even all suffice.

    If ``holds`` is not monotonic, the result still holds but may not be the shortest.
    """
    low, high = 0, 1
    while not holds(tuple(ranking[:high])):
        if high >= len(ranking):
            return None
        low, high = high, min(2 * high, len(ranking))
    while high - low > 1:
        middle = (low + high) // 2
        if holds(tuple(ranking[:middle])):
            high = middle
        else:
            low = middle
    return tuple(ranking[:high])


def _logits(model: onnx.ModelProto, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"], enable_fallback=0
    )
    name = session.get_inputs()[0].name
    return np.concatenate(
        [session.run(None, {name: part})[0] for part in np.array_split(inputs, max(1, len(inputs) // 32))]
    )
