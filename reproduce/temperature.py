"""Chooses one temperature for several sources: the one with the smallest maximum calibration error on validation faces.

    python reproduce/temperature.py MODEL --faces ferplus:ferplus.zip --faces 'rafdb:rafdb.zip?test=0.2' [--into-file]

A run minimizes the negative log-likelihood of all validation faces together, which favours the largest set. With --into-file the
temperature is written to the model file; its other metrics stay those of its run.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import onnx
from rich.console import Console
from rich.table import Table

from facelet.errors import FaceletError
from facelet.faces import load
from facelet.measure.classification import Classification
from facelet.measure.evaluation import evaluate_model
from facelet.models import model_file
from facelet.runtime.model import Model

FACTORS = tuple(round(float(factor), 3) for factor in np.geomspace(0.7, 1.4, 71))
SHOWN = 8
"""The table shows every n-th factor, and the best."""


def errors(answers: list[Classification]) -> dict[float, list[float]]:
    """Calibration error of each source for each factor of the model's temperature."""
    return {factor: [one.cooled(factor).all.ece for one in answers] for factor in FACTORS}


def best(found: dict[float, list[float]]) -> float:
    """The factor with the smallest maximum error; among equals, the nearest to 1."""
    return min(found, key=lambda factor: (max(found[factor]), abs(np.log(factor))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--faces", action="append", required=True)
    parser.add_argument("--into-file", action="store_true")
    args = parser.parse_args()
    try:
        model = Model.load(args.model)
        shape = model.info.input
        sets = [load(source, size=shape.cut_size, channels=shape.channels) for source in args.faces]
        found = errors([evaluate_model(model, faces, "val") for faces in sets])
    except FaceletError as error:
        sys.exit(f"error: {error}")
    chosen, before = best(found), model.info.temperature
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("temperature", *(faces.source for faces in sets), "worst"):
        table.add_column(title, justify="right")
    for factor in sorted({*FACTORS[:: len(FACTORS) // SHOWN], chosen}):
        row = [f"{factor * before:.3f}", *(f"{error:.1%}" for error in found[factor]), f"{max(found[factor]):.1%}"]
        table.add_row(*row, style="bold" if factor == chosen else None)
    Console().print("calibration error of validation faces", table)
    if args.into_file:
        info = model.info.model_copy(update={"temperature": before * chosen})
        model_file.write(onnx.load(args.model), info, args.model)
        print(f"{args.model}: temperature {before:.3f} -> {before * chosen:.3f}")


if __name__ == "__main__":
    main()
