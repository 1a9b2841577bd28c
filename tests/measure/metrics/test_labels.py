from __future__ import annotations

import pytest

from facelet.errors import FaceletError
from facelet.measure.metrics.labels import match_labels

CLASSES = ("neutral", "happiness", "anger")


def test_labels_are_matched_by_name_and_alias():
    assert match_labels(CLASSES, ("Angry", "HAPPY", "Neutral")).tolist() == [2, 1, 0]
    other_way = match_labels(("sad", "surprised", "fearful", "disgusted"), ("disgust", "fear", "surprise", "sadness"))
    assert other_way.tolist() == [3, 2, 1, 0]
    assert match_labels(("wink",), ("Wink ",)).tolist() == [0]
    with pytest.raises(FaceletError, match="'happy' and 'Happiness' mean the same"):
        match_labels(CLASSES, ("happy", "Happiness"))
    with pytest.raises(FaceletError, match="two of the faces' classes"):
        match_labels(("sad", "sadness"), ("sad",))
