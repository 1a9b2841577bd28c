"""One finished step: its model's answers on validation and test faces, and the marker that says it is finished.

``answers-val.npz`` and ``answers-test.npz`` hold every answer; ``done.json`` is written last. A resumed run reads them back.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facelet import files, model_file
from facelet.faces import FaceSet
from facelet.measure.classification import Classification
from facelet.measure.evaluation import evaluate_model
from facelet.measure.row import percent
from facelet.runtime.session import Model
from facelet.step import Made, Step


@dataclass(frozen=True)
class Measured:
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
    made: Made
    val: Classification
    test: Classification

    def line(self) -> str:
        """One line for the terminal, when the step ends."""
        scores = self.test.all
        interval = f"{percent(scores.accuracy_low)} to {percent(scores.accuracy_high)}"
        return (
            f"{self.label}: validation {percent(self.val.all.accuracy)}, "
            f"test {percent(scores.accuracy)} ({interval} of {scores.n:,})"
        )

    @classmethod
    def read(cls, folder: Path, step: Step, control: bool) -> Measured:
        """A step that was finished before. Raises FaceletError when its files are damaged."""
        label, seed, made = read_done(folder)
        val, test = (Classification.load(folder / f"answers-{split}.npz") for split in ("val", "test"))
        return cls(label, step, control, seed, folder, made, val, test)


def write_done(folder: Path, label: str, seed: int, made: Made) -> None:
    """The marker that says that a step is finished, written when all else is."""
    run = folder.parent.parent
    paths = {name: getattr(made, name) for name in ("onnx", "net", "faces")}
    written = {name: path.relative_to(run).as_posix() if path else "" for name, path in paths.items()}
    files.write_json(
        folder / "done.json",
        {"label": label, "seed": seed, **written, "notes": list(made.notes), "spent": made.spent},
    )


def read_done(folder: Path) -> tuple[str, int, Made]:
    """Label and seed of a finished step, and what it left."""
    done, run = files.read_json(folder / "done.json"), folder.parent.parent
    paths = {name: run / done[name] if done[name] else None for name in ("onnx", "net", "faces")}
    return done["label"], done["seed"], Made(**paths, notes=tuple(done["notes"]), spent=done["spent"])


def measure(step: Step, control: bool, made: Made, folder: Path, faces: FaceSet, described: dict[str, Any]) -> Measured:
    """Asks a step's model file about validation and test faces, writes the figures into it, and marks the step done.

    ``described``: fields of ModelInfo that say what the model is; its name and seed are the row's.
    """
    assert made.onnx is not None
    model = Model.load(made.onnx)
    results = {split: evaluate_model(model, faces, split) for split in ("val", "test")}
    for split, result in results.items():
        result.save(folder / f"answers-{split}.npz")
    _write_figures(made.onnx, model.info.model_copy(update=described), results)
    label, seed = described["name"], described["seed"]
    write_done(folder, label, seed, made)
    return Measured(label, step, control, seed, folder, made, results["val"], results["test"])


def _write_figures(path: Path, info: model_file.ModelInfo, results: dict[str, Classification]) -> None:
    """A model file tells its own figures, so it is written once more when they are known."""
    import onnx

    scores = results["test"].all
    figures: dict[str, Any] = {
        "val_accuracy": results["val"].all.accuracy,
        "test_accuracy": scores.accuracy,
        "test_accuracy_low": scores.accuracy_low,
        "test_accuracy_high": scores.accuracy_high,
        "test_balanced_accuracy": scores.balanced_accuracy,
        "test_ece": scores.ece,
        "test_faces": scores.n,
    }
    rounded = {name: round(float(value), 6) for name, value in figures.items()}
    model_file.write(onnx.load(str(path)), info.model_copy(update={"figures": rounded}), path)
