"""One face of a photo, before and after prediction."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facelet.io.pixels import Image
from facelet.models import priors
from facelet.runtime.quality import Quality


@dataclass(frozen=True, eq=False)
class Face:
    """One face with its predictions.

    Attributes:
        box: left, top, width, height in pixels of the upright photo; may reach beyond it.
        score: the detector's, 0 to 1; 1 for a ready crop.
        landmarks: float32 (5, 2): eyes, nose tip, mouth corners; of each pair, the point that is left when the face is upright
            comes first. None for a ready crop.
        expression: the most likely label.
        probabilities: label -> probability, in the model's order; they sum to 1.
        identity: unit vector of an identity model, None otherwise.
        warnings: reasons to distrust the prediction, such as a face smaller than those the model was evaluated on.
        roll: degrees by which the face is turned clockwise in the photo; 0 for a face that is close to upright.
        quality: how well the face can be seen; None where it was not measured.
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: NDArray[np.float32] | None = None
    expression: str | None = None
    probabilities: dict[str, float] = field(default_factory=dict)
    identity: NDArray[np.float32] | None = None
    warnings: tuple[str, ...] = ()
    roll: float = 0.0
    quality: Quality | None = None

    def reweighted(self, factors: NDArray[np.float64] | None) -> Face:
        """The face for another class prior: its probabilities times ``factors``, see ``priors.weights``; None changes nothing."""
        if factors is None or not self.probabilities:
            return self
        row = priors.reweighted(np.array([list(self.probabilities.values())], np.float32), factors)[0]
        probabilities = dict(zip(self.probabilities, row.tolist(), strict=True))
        return replace(self, expression=max(probabilities, key=probabilities.__getitem__), probabilities=probabilities)

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``json.dumps``: pixels to a tenth, probabilities to five digits."""
        return {
            "box": [round(value, 1) for value in self.box],
            "score": round(self.score, 4),
            "roll": round(self.roll, 1),
            "landmarks": None if self.landmarks is None else np.round(self.landmarks.astype(float), 1).tolist(),
            "expression": self.expression,
            "probabilities": {label: round(value, 5) for label, value in self.probabilities.items()},
            "identity": None if self.identity is None else self.identity.tolist(),
            "warnings": list(self.warnings),
            "quality": None if self.quality is None else round(self.quality.score, 3),
        }


@dataclass(frozen=True, eq=False)
class PreparedPhoto:
    """Detected faces of a photo with their crops, before prediction.

    Attributes:
        faces: without predictions, largest first.
        crops: for each model of the Analyzer, the crop of each face, uint8 (H, W, C).
        sides: for each model, the side of each crop in photo pixels.
        size: width and height of the photo.
        omitted: number of faces beyond ``most``, which were not cropped.
    """

    faces: tuple[Face, ...]
    crops: tuple[list[Image], ...] = field(repr=False)
    sides: tuple[list[float], ...] = field(repr=False)
    size: tuple[int, int]
    omitted: int = 0
