"""Quantizes an fp32 model file to int8 without its run.

    python reproduce/requantize.py expression-fp32 expression --out expression.onnx \\
        --faces ferplus:ferplus.zip --faces 'rafdb:rafdb.zip?test=0.2'
    python reproduce/requantize.py identity-fp32 identity --out identity.onnx \\
        --faces identities:people.zip --pairs lfw:lfw_112.zip

It runs the step `quantize` with its accuracy limit, then evaluates on test faces or pairs as a run does; temperature and threshold
are chosen on validation faces. The card of the bundled model of this name is kept, for its section on training.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import onnx

from facelet.errors import FaceletError
from facelet.faces import FaceSet, load, load_pairs
from facelet.faces.concat import concat
from facelet.faces.pairset import draw_pairs
from facelet.io.files import writing
from facelet.measure.evaluation import evaluate_model
from facelet.measure.metrics.calibration import temperature
from facelet.measure.pair_evaluation import evaluate_pairs_model
from facelet.models import bundled, model_file
from facelet.models.model_file import ModelInfo
from facelet.recipes.result import Result, write_figures
from facelet.runtime.model import Model
from facelet.shrink.quantize import Quantize
from facelet.step import StepContext, StepResult


def quantized(
    parent: Path, name: str, faces: FaceSet, folder: Path, target: str = "portable", allowance: float = 0.3
) -> Path:
    """Runs the step ``quantize`` on ``parent`` with these faces; returns the file in ``folder``."""
    step = Quantize.model_validate(
        {"do": "quantize", "as": name, "of": "parent", "target": target, "allowance": allowance}
    )
    made = step.run(StepContext(name, folder, faces, {"parent": StepResult(onnx=parent)}))
    assert made.onnx is not None
    return made.onnx


def measured(path: Path, faces: FaceSet, pairs: str, far: float = 0.001) -> None:
    """Writes temperature or threshold, and metrics, to the file's metadata."""
    model = Model.load(path)
    info, results = model.info, dict[str, Result]()
    if info.task == "identity":
        results = {
            "val": evaluate_pairs_model(model, draw_pairs(faces.split("val"))),
            "test": evaluate_pairs_model(model, load_pairs(pairs, size=info.input.size)),
        }
    else:
        answers = {split: evaluate_model(model, faces, split) for split in ("val", "test")}
        factor = temperature(answers["val"].probabilities, answers["val"].columns[answers["val"].truth])
        info = info.model_copy(update={"temperature": info.temperature * factor})
        results |= {split: answer.cooled(factor) for split, answer in answers.items()}
    write_figures(path, info, results, far)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parent", help="an fp32 model file, or the name of a bundled model")
    parser.add_argument("name", help="name of the int8 model")
    parser.add_argument(
        "--faces", action="append", required=True, help="source with training and validation faces; repeatable"
    )
    parser.add_argument("--pairs", default="", help="for an identity model, such as lfw:PATH")
    parser.add_argument("--target", default="portable")
    parser.add_argument("--allowance", type=float, default=0.3)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    try:
        parent = bundled.found(args.parent)
        info = model_file.read(parent)
        sets = [load(source, size=info.input.cut_size, channels=info.input.channels) for source in args.faces]
        faces = concat(sets)
        with tempfile.TemporaryDirectory(prefix="facelet-") as folder:
            path = quantized(parent, args.name, faces, Path(folder), args.target, args.allowance)
            measured(path, faces, args.pairs)
            final = model_file.read(path).model_copy(update={"card": _card(args.name)})
            with writing(args.out) as beside:
                model_file.write(onnx.load(path), final, beside)
    except FaceletError as error:
        sys.exit(f"error: {error}")
    print(f"{args.out}: {args.out.stat().st_size:,} bytes, {_summary(model_file.read(args.out))}")


def _card(name: str) -> str:
    """The card of the bundled model of this name, if there is one."""
    known = [model.name for model in bundled.models()]
    return model_file.read(bundled.path_of(name)).card if name in known else ""


def _summary(info: ModelInfo) -> str:
    assert info.selftest is not None
    figures = ", ".join(f"{name} {info.figures[name]:.4f}" for name in ("val_accuracy", "test_accuracy"))
    return f"target {info.target}, {figures}, self-test tolerance {info.selftest.tolerance}"


if __name__ == "__main__":
    main()
