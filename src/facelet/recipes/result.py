"""A finished step: predictions on validation and test faces, and the marker file ``done.json``.

``answers-val.npz`` and ``answers-test.npz`` contain all predictions; for identity models ``scores-val.npz`` and
``scores-test.npz`` contain the scores of all pairs. ``done.json`` is written last. A resumed run reads these files.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from facelet.errors import FaceletError
from facelet.io import files
from facelet.measure.classification import Classification
from facelet.measure.evaluation import evaluate_model
from facelet.measure.ledger.row import figures
from facelet.measure.metrics.calibration import temperature
from facelet.measure.metrics.intervals import Difference
from facelet.measure.pair_evaluation import evaluate_pairs_model
from facelet.measure.verification import PairScores
from facelet.models import model_file
from facelet.recipes.context import RunContext
from facelet.runtime.model import Model
from facelet.step import Step, StepResult
from facelet.text import percent

Result = Classification | PairScores
FILES: dict[str, type[Classification] | type[PairScores]] = {"answers": Classification, "scores": PairScores}


@dataclass(frozen=True)
class MeasuredStep:
    """A finished step of one seed.

    Attributes:
        label: name of the model, with the seed as suffix for seeds other than 0.
        made: result of the step; ``made.onnx`` is always set.
        val, test: metrics on validation and test faces, or pairs.
    """

    label: str
    step: Step
    control: bool
    seed: int
    folder: Path
    made: StepResult
    val: Result
    test: Result

    def line(self) -> str:
        """Returns a line for the terminal at the end of the step."""
        row = figures(self.test)
        interval = f"{percent(row['accuracy_low'])} to {percent(row['accuracy_high'])}"
        return (
            f"{self.label}: validation {percent(self.val.accuracy)}, "
            f"test {percent(self.test.accuracy)} ({interval}, n = {row['n']:,}{_unit(self.test)}; "
            f"baseline {percent(row['baseline'])})"
        )

    @classmethod
    def read(cls, folder: Path, step: Step, control: bool) -> MeasuredStep:
        """Reads a step that was finished before. Raises FaceletError when its files are damaged."""
        label, seed, made = read_done(folder)
        kind = "scores" if (folder / "scores-test.npz").exists() else "answers"
        val, test = (FILES[kind].load(folder / f"{kind}-{split}.npz") for split in ("val", "test"))
        return cls(label, step, control, seed, folder, made, val, test)


def difference(result: Result, other: Result) -> Difference:
    """Returns the accuracy of ``result`` minus ``other`` on the same faces or pairs. Raises FaceletError for different ones."""
    if isinstance(result, Classification) and isinstance(other, Classification):
        return result.against(other)
    if isinstance(result, PairScores) and isinstance(other, PairScores):
        return result.against(other)
    raise FaceletError("an expression model and an identity model cannot be compared; use separate recipes")


def _unit(result: Result) -> str:
    return " pairs" if isinstance(result, PairScores) else ""


def write_done(folder: Path, label: str, seed: int, made: StepResult) -> None:
    """Writes the marker file of a finished step, after all other files."""
    run = folder.parent.parent
    paths = {name: getattr(made, name) for name in ("onnx", "net", "faces")}
    written = {name: path.relative_to(run).as_posix() if path else "" for name, path in paths.items()}
    kept = {"notes": list(made.notes), "spent": made.spent, "read": made.read, "described": made.described}
    files.write_json(folder / "done.json", {"label": label, "seed": seed, **written, **kept})


def read_done(folder: Path) -> tuple[str, int, StepResult]:
    """Returns label, seed and result of a finished step."""
    done, run = files.read_json(folder / "done.json"), folder.parent.parent
    kept: dict[str, Any] = {name: run / done[name] if done[name] else None for name in ("onnx", "net", "faces")}
    kept |= {name: done.get(name, {}) for name in ("read", "described")}  # earlier runs did not write them
    made = StepResult(**kept, notes=tuple(done["notes"]), spent=done["spent"])
    return done["label"], done["seed"], made


def measure(
    work: RunContext, step: Step, control: bool, made: StepResult, folder: Path, described: dict[str, Any]
) -> MeasuredStep:
    """Measures a step's model file on validation and test faces, or pairs, and marks the step as done.

    Writes temperature or threshold, chosen on validation faces, and the figures into the file. ``described``: further fields of
    ModelInfo, including the name and seed of the row.
    """
    path = made.onnx
    assert path is not None
    model = Model.load(path)
    info, results = model.info.model_copy(update=described), dict[str, Result]()
    if model.info.task == "identity":
        results |= {
            split: evaluate_pairs_model(model, work.pairs[split], console=work.console) for split in ("val", "test")
        }
    else:
        plain = {split: evaluate_model(model, work.faces, split, work.console) for split in ("val", "test")}
        factor = _temperature(plain["val"], info)
        info = info.model_copy(update={"temperature": info.temperature * factor})
        results |= {split: result.cooled(factor) for split, result in plain.items()}
        if factor != 1:
            made = replace(made, notes=(*made.notes, _calibration(info, plain["val"], factor)))
    for split, result in results.items():
        kind = "scores" if isinstance(result, PairScores) else "answers"
        result.save(folder / f"{kind}-{split}.npz")
    write_figures(path, info, results, work.recipe.far)
    label, seed = described["name"], described["seed"]
    write_done(folder, label, seed, made)
    return MeasuredStep(label, step, control, seed, folder, made, results["val"], results["test"])


def _temperature(val: Classification, info: model_file.ModelInfo) -> float:
    """Returns the temperature for validation faces; 1 for early-exit files, whose threshold depends on their temperature."""
    return 1.0 if info.exits else temperature(val.probabilities, val.columns[val.truth])


def _calibration(info: model_file.ModelInfo, val: Classification, factor: float) -> str:
    before, after = (percent(result.all.ece) for result in (val, val.cooled(factor)))
    return f"temperature {info.temperature:.2f}: calibration error on validation faces {before} → {after}"


def write_figures(path: Path, info: model_file.ModelInfo, results: dict[str, Result], far: float) -> None:
    """Writes the figures into a model file's metadata and, for an identity model, its threshold.

    The threshold is the lowest with at most ``far`` on the validation pairs, or with the smallest FAR that can be measured.
    """
    import onnx

    val, test = results["val"], results["test"]
    tested = {f"test_{name}": value for name, value in figures(test).items() if isinstance(value, float)}
    number = {"test_pairs" if isinstance(test, PairScores) else "test_faces": figures(test)["n"]}
    values = {"val_accuracy": val.accuracy, **tested, **number}
    rounded = {name: round(float(value), 6) for name, value in values.items()}
    update: dict[str, Any] = {"figures": rounded, "card": ""}  # drops the card of the parent
    if isinstance(val, PairScores) and isinstance(test, PairScores):
        chosen = val.at_far(max(far, val.smallest_far))
        point = test.at_threshold(chosen.threshold)
        rounded |= {"val_far": chosen.far, "test_far": point.far, "test_tar": point.tar}
        update["threshold"] = chosen.threshold
    model_file.write(onnx.load(str(path)), info.model_copy(update=update), path)
