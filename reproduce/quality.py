"""Fits the quality score of `facelet.runtime.quality`: the probability that an expression model is right on a face.

    python reproduce/quality.py --faces ferplus:ferplus.zip --faces 'rafdb:rafdb_train.zip?test=0.2'

Uses validation faces only, never test faces: as they are, and blurred, darkened, small and compressed (`measure/card/corruptions`).
Faces with an even number fit the regression, those with an odd number check it. The table compares the predicted and the actual
accuracy in five groups of equal size by score. The coefficients printed belong in src/facelet/runtime/quality.py.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from facelet.errors import FaceletError
from facelet.faces import FaceSet, load
from facelet.io import pixels
from facelet.measure.card import corruptions
from facelet.runtime.detector import SCORE_OF_CROPS, Detector
from facelet.runtime.model import Model
from facelet.runtime.quality import COEFFICIENTS, measure

CONDITIONS = ("blur", "little light", "small", "JPEG")
"""Corruptions that the measures can see; a covered face is not among them."""
ENLARGED = 160
"""Side at which the detector looks for the landmarks of a crop."""
GROUPS = 5


def landmarks(detector: Detector, image: NDArray[np.uint8]) -> NDArray[np.float32] | None:
    """Landmarks of the largest face in a crop with a border, or None."""
    side = round(ENLARGED / 2)
    framed = pixels.cv2.copyMakeBorder(
        pixels.resize(pixels.to_channels(image, 3), ENLARGED), *[side] * 4, pixels.cv2.BORDER_REPLICATE
    )
    found = detector(framed)
    return found[0].landmarks if found else None


def observations(model: Model, faces: FaceSet, detector: Detector, most: int) -> tuple[NDArray, NDArray, NDArray]:
    """Features (N, 5), whether the answer is right (N,), and the number of the face (N,)."""
    chosen = np.random.default_rng(0).permutation(len(faces))[:most]
    images = faces.images[np.sort(chosen)]
    truth = [faces.classes[label] for label in faces.labels[np.sort(chosen)]]
    marks = [landmarks(detector, image) for image in images]
    side = images.shape[1]
    variants = [(images, side)]
    for level in corruptions.levels(side):
        if level.condition in CONDITIONS:
            small = int(level.strength.split()[0]) if level.condition == "small" else side
            variants.append((level.change(images), small))
    rows, right, numbers = [], [], []
    for variant, size in variants:
        answers = model.probabilities(variant).argmax(axis=1)
        for number, image in enumerate(variant):
            rows.append(list(measure(image, size, marks[number]).features().values()))
            right.append(model.labels[answers[number]] == truth[number])
            numbers.append(number)
    return np.array(rows), np.array(right), np.array(numbers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="expression")
    parser.add_argument("--faces", action="append", required=True)
    parser.add_argument("--most", type=int, default=1000, help="faces of each source")
    args = parser.parse_args()
    console = Console()
    try:
        model, detector = Model.load(args.model, threads=1), Detector(score=SCORE_OF_CROPS)
        shape = model.info.input
        parts = []
        for source in args.faces:
            faces = load(source, size=shape.cut_size, channels=shape.channels).labelled("val")
            parts.append(observations(model, faces, detector, args.most))
            console.print(
                f"{source}: {min(args.most, len(faces)):,} of {len(faces):,} validation faces, {len(parts[-1][0]):,} images"
            )
    except FaceletError as error:
        sys.exit(f"error: {error}")
    features, right, numbers = (np.concatenate(column) for column in zip(*parts, strict=True))
    fitting = numbers % 2 == 0
    regression = LogisticRegression(C=1.0).fit(features[fitting], right[fitting])
    score, actual = regression.predict_proba(features[~fitting])[:, 1], right[~fitting]
    table = Table("score", "mean score", "accuracy", "faces", box=None, title="the other half of the validation faces")
    for group in np.array_split(np.argsort(score, kind="stable"), GROUPS):
        low, high = score[group].min(), score[group].max()
        table.add_row(
            f"{low:.2f}-{high:.2f}", f"{score[group].mean():.3f}", f"{actual[group].mean():.3f}", f"{len(group):,}"
        )
    console.print(table)
    console.print(f"area under the ROC curve: {roc_auc_score(actual, score):.3f}")
    values = {name: round(float(value), 3) for name, value in zip(COEFFICIENTS, regression.coef_[0], strict=True)}
    console.print(f"INTERCEPT = {float(regression.intercept_[0]):.3f}\nCOEFFICIENTS = {values}", highlight=False)


if __name__ == "__main__":
    main()
