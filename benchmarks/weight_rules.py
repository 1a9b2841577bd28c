"""Validation accuracy of several ways to scale int8 weights, compared with the fp32 model.

    python benchmarks/weight_rules.py expression-fp32 expression-tiny-fp32 \\
        --faces ferplus:ferplus.zip --faces 'rafdb:rafdb_train.zip?test=0.2'

8 bits can saturate on x86 without VNNI; 7 bits cannot. Neither can pairs, which bound the sum of the two largest weights of an
output channel to twice the 7-bit maximum. `quantize` uses pairs, and keeps the last layer in float. For an identity model,
agreement is the mean cosine to the fp32 embeddings.
"""

from __future__ import annotations

import argparse
import sys
from unittest.mock import patch

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from facelet.errors import FaceletError
from facelet.faces import load
from facelet.faces.concat import concat
from facelet.models import bundled, model_file, saturation, self_test
from facelet.runtime.model import prepared
from facelet.shrink.int8 import qdq
from facelet.shrink.int8.qdq import Calibrated, QuantizationConfig
from facelet.shrink.int8.weight_scales import portable_scales, seven_bit_scales

RANGES, BATCH = 300, 64
RULES = {
    "8 bits": (None, 0),
    "7 bits": (seven_bit_scales, 0),
    "pairs": (portable_scales, 0),
    "pairs, last layer in float": (portable_scales, 1),
}
"""Name -> scaling of weights, and number of last layers that stay in float."""


def answers(model: bytes, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    parts = [session.run(None, {name: inputs[at : at + BATCH]})[0] for at in range(0, len(inputs), BATCH)]
    return np.concatenate(parts)


def agreement(ours: NDArray[np.float32], theirs: NDArray[np.float32], identity: bool) -> float:
    if not identity:
        return float((ours.argmax(1) == theirs.argmax(1)).mean())
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    return float(((ours * theirs).sum(1) / lengths).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", help="fp32 model files, or names of `facelet models`")
    parser.add_argument("--faces", action="append", required=True)
    args = parser.parse_args()
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("model", "weights", "accuracy", "agreement", "deviation", "pair"):
        table.add_column(title, justify="left" if title in ("model", "weights") else "right", no_wrap=True)
    try:
        for model in args.models:
            for row in rows(model, args.faces):
                table.add_row(*row)
    except FaceletError as error:
        sys.exit(f"error: {error}")
    Console().print(table)


def rows(model: str, sources: list[str]) -> list[tuple[str, ...]]:
    """Table with a row for fp32 and for each rule."""
    path = bundled.found(model)
    info = model_file.read(path)
    faces = concat([load(source, size=info.input.cut_size, channels=info.input.channels) for source in sources])
    train = np.random.default_rng(0).permutation(np.flatnonzero(faces.splits == 0))[:RANGES]
    graph = Calibrated(path, prepared(faces.images[np.sort(train)], info.input))
    val = faces.split("val")
    inputs, identity = prepared(val.images, info.input), info.task == "identity"
    reference = answers(path.read_bytes(), inputs)

    def accuracy(outputs: NDArray[np.float32]) -> str:
        return "" if identity else f"{(outputs.argmax(1) == val.labels)[val.labels >= 0].mean():.2%}"

    found: list[tuple[str, ...]] = [(info.name, "fp32", accuracy(reference), "", "", "")]
    for name, (rule, last) in RULES.items():
        floats = graph.computing[len(graph.computing) - last :]
        with patch.object(qdq, "portable_scales", rule or portable_scales):
            made = graph.quantized(QuantizationConfig("u8s8", floats, portable=rule is not None)).SerializeToString()
        outputs = answers(made, inputs)
        near = f"{agreement(outputs, reference, identity):.2%}"
        deviation = f"{self_test.deviation(outputs, reference):.3f}"
        found.append((info.name, name, accuracy(outputs), near, deviation, str(saturation.worst_pair(made))))
    return found


if __name__ == "__main__":
    main()
