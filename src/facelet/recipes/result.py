"""One finished step: its model's answers on validation and test faces, and the marker that says it is finished.

``answers-val.npz`` and ``answers-test.npz`` hold every answer, of an identity model ``scores-val.npz`` and ``scores-test.npz`` the
score of every pair; ``done.json`` is written last. A resumed run reads them back.
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
        label: of the model: its name, with the seed behind it from the second seed on.
        made: what the step left; ``made.onnx`` is always set.
        val, test: its answers.
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
        """One line for the terminal, when the step ends."""
        told = figures(self.test)
        interval = f"{percent(told['accuracy_low'])} to {percent(told['accuracy_high'])}"
        return (
            f"{self.label}: validation {percent(self.val.accuracy)}, "
            f"test {percent(self.test.accuracy)} ({interval} of {told['n']:,}{_unit(self.test)}; "
            f"baseline {percent(told['baseline'])})"
        )

    @classmethod
    def read(cls, folder: Path, step: Step, control: bool) -> MeasuredStep:
        """A step that was finished before. Raises FaceletError when its files are damaged."""
        label, seed, made = read_done(folder)
        kind = "scores" if (folder / "scores-test.npz").exists() else "answers"
        val, test = (FILES[kind].load(folder / f"{kind}-{split}.npz") for split in ("val", "test"))
        return cls(label, step, control, seed, folder, made, val, test)


def difference(mine: Result, other: Result) -> Difference:
    """Accuracy of ``mine`` minus ``other`` on the same faces, or pairs. Raises FaceletError when they are not the same."""
    if isinstance(mine, Classification) and isinstance(other, Classification):
        return mine.against(other)
    if isinstance(mine, PairScores) and isinstance(other, PairScores):
        return mine.against(other)
    raise FaceletError("a model of classes and one of identity cannot be compared; give each a recipe of its own")


def _unit(result: Result) -> str:
    return " pairs" if isinstance(result, PairScores) else ""


def write_done(folder: Path, label: str, seed: int, made: StepResult) -> None:
    """The marker that says that a step is finished, written when all else is."""
    run = folder.parent.parent
    paths = {name: getattr(made, name) for name in ("onnx", "net", "faces")}
    written = {name: path.relative_to(run).as_posix() if path else "" for name, path in paths.items()}
    files.write_json(
        folder / "done.json",
        {"label": label, "seed": seed, **written, "notes": list(made.notes), "spent": made.spent},
    )


def read_done(folder: Path) -> tuple[str, int, StepResult]:
    """Label and seed of a finished step, and what it left."""
    done, run = files.read_json(folder / "done.json"), folder.parent.parent
    paths = {name: run / done[name] if done[name] else None for name in ("onnx", "net", "faces")}
    return done["label"], done["seed"], StepResult(**paths, notes=tuple(done["notes"]), spent=done["spent"])


def measure(
    work: RunContext, step: Step, control: bool, made: StepResult, folder: Path, described: dict[str, Any]
) -> MeasuredStep:
    """Asks a step's model file about validation and test faces, or pairs, writes into it what is chosen by the first and its
    figures, and marks the step done.

    ``described``: fields of ModelInfo that say what the model is; its name and seed are the row's.
    """
    path = made.onnx
    assert path is not None
    model = Model.load(path)
    info, results = model.info.model_copy(update=described), dict[str, Result]()
    if model.info.task == "identity":
        results |= {split: evaluate_pairs_model(model, work.pairs[split]) for split in ("val", "test")}
    else:
        answers = {split: evaluate_model(model, work.faces, split) for split in ("val", "test")}
        factor = _temperature(answers["val"], info)
        info = info.model_copy(update={"temperature": info.temperature * factor})
        results |= {split: answer.cooled(factor) for split, answer in answers.items()}
        if factor != 1:
            made = replace(made, notes=(*made.notes, _calibration(info, answers["val"], factor)))
    for split, result in results.items():
        kind = "scores" if isinstance(result, PairScores) else "answers"
        result.save(folder / f"{kind}-{split}.npz")
    write_figures(path, info, results, work.recipe.far)
    label, seed = described["name"], described["seed"]
    write_done(folder, label, seed, made)
    return MeasuredStep(label, step, control, seed, folder, made, results["val"], results["test"])


def _temperature(val: Classification, info: model_file.ModelInfo) -> float:
    """By validation faces. A file that stops early keeps the temperature by which it decides when to stop."""
    return 1.0 if info.exits else temperature(val.probabilities, val.columns[val.truth])


def _calibration(info: model_file.ModelInfo, val: Classification, factor: float) -> str:
    before, after = (percent(one.all.ece) for one in (val, val.cooled(factor)))
    return f"temperature {info.temperature:.2f}: calibration error of validation faces {before} → {after}"


def write_figures(path: Path, info: model_file.ModelInfo, results: dict[str, Result], far: float) -> None:
    """A model file tells its own figures, so it is written once more when they are known; and an identity model its threshold:
    the lowest that accepts ``far`` of the validation pairs of two people, or as few as they can tell of.
    """
    import onnx

    val, test = results["val"], results["test"]
    told = {f"test_{name}": value for name, value in figures(test).items() if isinstance(value, float)}
    number = {"test_pairs" if isinstance(test, PairScores) else "test_faces": figures(test)["n"]}
    rounded = {name: round(float(value), 6) for name, value in {"val_accuracy": val.accuracy, **told, **number}.items()}
    update: dict[str, Any] = {"figures": rounded, "card": ""}  # a parent's card is not this model's
    if isinstance(val, PairScores) and isinstance(test, PairScores):
        chosen = val.at_far(max(far, val.smallest_far))
        found = test.at_threshold(chosen.threshold)
        rounded |= {"val_far": chosen.far, "test_far": found.far, "test_tar": found.tar}
        update["threshold"] = chosen.threshold
    model_file.write(onnx.load(str(path)), info.model_copy(update=update), path)
