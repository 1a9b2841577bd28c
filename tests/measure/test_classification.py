"""Classification against scikit-learn, torchmetrics, and cases by hand."""

from __future__ import annotations

import doctest
import json

import numpy as np
import pytest
from numbered_faces import CLASSES, faces_of, looking_up
from sklearn import metrics

import facelet.measure.classification
import facelet.measure.metrics.labels
import facelet.measure.metrics.scores
from facelet.errors import FaceletError
from facelet.measure.classification import Classification, evaluate


@pytest.fixture
def answers():
    rng = np.random.default_rng(0)
    labels = rng.choice(3, 200, p=[0.6, 0.3, 0.1])
    logits = rng.normal(size=(200, 3)) + 1.5 * np.eye(3)[labels]
    return labels, np.exp(logits) / np.exp(logits).sum(1, keepdims=True)


@pytest.mark.parametrize(
    "module", [facelet.measure.classification, facelet.measure.metrics.scores, facelet.measure.metrics.labels]
)
def test_examples_in_the_docstrings(module):
    assert doctest.testmod(module).failed == 0


def test_figures_are_scikit_learns(answers):
    labels, probabilities = answers
    result = evaluate(looking_up(probabilities), faces_of(labels), CLASSES)
    predicted = probabilities.argmax(1)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(labels, predicted)
    scores = result.all
    assert scores.accuracy == pytest.approx(metrics.accuracy_score(labels, predicted))
    assert scores.balanced_accuracy == pytest.approx(metrics.balanced_accuracy_score(labels, predicted))
    assert scores.recall_spread == pytest.approx(np.std(recall[support > 0]))
    assert np.array_equal(scores.confusion, metrics.confusion_matrix(labels, predicted))
    assert [row.recall for row in scores.per_class] == pytest.approx(recall)
    assert [row.precision for row in scores.per_class] == pytest.approx(precision)
    assert [row.f1 for row in scores.per_class] == pytest.approx(f1)
    assert [row.n for row in scores.per_class] == support.tolist()
    assert scores.accuracy_low < scores.accuracy < scores.accuracy_high
    assert result.same_labels
    assert np.array_equal(result.correct, predicted == labels)


def test_order_of_the_models_labels_does_not_matter(answers):
    labels, probabilities = answers
    straight = evaluate(looking_up(probabilities), faces_of(labels), CLASSES)
    shuffled = evaluate(looking_up(probabilities[:, [2, 0, 1]]), faces_of(labels), ("Angry", "neutral", "happy"))
    assert shuffled.same_labels
    assert np.array_equal(straight.all.confusion, shuffled.all.confusion)
    assert straight.against(shuffled).value == 0


def test_other_label_sets_are_reported_as_all_and_as_shared_only():
    """By hand: the model knows happy, neutral and sad; the faces are neutral, happiness and anger."""
    faces = faces_of([0, 0, 1, 1, 2])
    probabilities = [
        [0.1, 0.8, 0.1],  # neutral, right
        [0.1, 0.3, 0.6],  # neutral taken for sad: right once sad may not be said
        [0.7, 0.2, 0.1],  # happiness, right
        [0.4, 0.5, 0.1],  # happiness taken for neutral
        [0.2, 0.2, 0.6],  # anger, which the model cannot say
    ]
    result = evaluate(looking_up(probabilities), faces, ("happy", "neutral", "sad"))
    assert not result.same_labels
    assert result.all.accuracy == pytest.approx(2 / 5)
    assert result.all.labels == (*CLASSES, "sad")
    assert result.all.confusion.tolist() == [[1, 0, 0, 1], [1, 1, 0, 0], [0, 0, 0, 1]]
    assert result.all.balanced_accuracy == pytest.approx((0.5 + 0.5 + 0) / 3)
    assert (result.shared.n, result.shared.accuracy) == (4, pytest.approx(3 / 4))
    assert result.shared.classes == ("neutral", "happiness")
    assert result.shared.confusion.tolist() == [[2, 0], [1, 1]]
    written = result.to_json()
    assert written["shared_labels_only"]["n"] == 4


def test_faces_of_training_are_left_out_of_a_second_figure():
    faces = faces_of([0, 0, 1, -1])
    sure = np.eye(3)[[0, 1, 1, 0]]
    result = evaluate(looking_up(sure), faces, CLASSES, identical=np.array([True, False, False, True]), annotator=0.785)
    assert result.all.n == 3
    assert (result.fresh.n, result.fresh.accuracy) == (2, 0.5)
    assert result.to_json()["faces_of_training"] == 1
    assert result.to_json()["annotator_agrees"] == 0.785
    assert evaluate(looking_up(sure), faces, CLASSES).fresh is None


def test_worst_are_wrong_and_surest_first():
    sure = [[0.9, 0.1, 0], [0.2, 0.8, 0], [0.3, 0.7, 0], [0.6, 0.4, 0]]
    result = evaluate(looking_up(sure), faces_of([0, 0, 0, 1]), CLASSES)
    assert result.worst().tolist() == [1, 2, 3]
    assert result.worst(1).tolist() == [1]


def test_a_class_without_faces_or_answers_breaks_nothing():
    result = evaluate(looking_up(np.eye(3)[[0, 1]]), faces_of([0, 0]), CLASSES)
    happy, anger = result.all.per_class[1:]
    assert (happy.n, happy.precision, happy.f1) == (0, 0.0, 0.0)
    assert (anger.n, anger.precision, anger.f1) == (0, None, 0.0)
    assert result.all.balanced_accuracy == 0.5
    json.dumps(result.to_json(), allow_nan=False)


def test_save_and_load_keep_everything(tmp_path, answers):
    labels, probabilities = answers
    result = evaluate(
        looking_up(probabilities), faces_of(labels), CLASSES, identical=np.arange(200) % 9 == 0, annotator=0.7
    )
    result.save(tmp_path / "test.npz")
    again = Classification.load(tmp_path / "test.npz")
    assert again.to_json() == result.to_json()
    assert again.against(result).value == 0
    plain = evaluate(looking_up(probabilities), faces_of(labels), CLASSES)
    plain.save(tmp_path / "plain.npz")
    assert Classification.load(tmp_path / "plain.npz").to_json() == plain.to_json()
    (tmp_path / "torn.npz").write_bytes((tmp_path / "test.npz").read_bytes()[:100])
    for bad in ("torn.npz", "missing.npz"):
        with pytest.raises(FaceletError, match="cannot read the predictions"):
            Classification.load(tmp_path / bad)


def test_only_the_same_faces_are_compared(answers):
    labels, probabilities = answers
    one = evaluate(looking_up(probabilities), faces_of(labels), CLASSES)
    other = evaluate(looking_up(probabilities), faces_of(labels, split=1), CLASSES)
    with pytest.raises(FaceletError, match="different faces cannot be compared"):
        one.against(other)


@pytest.mark.parametrize(
    ("faces", "probabilities", "labels", "message"),
    [
        (faces_of([-1, -1]), np.eye(3)[[0, 1]], CLASSES, "no labelled test faces"),
        (faces_of([]), np.eye(3), CLASSES, "no labelled test faces"),
        (faces_of([0, 1]), np.eye(3)[[0, 1]], ("cat", "dog", "cow"), "have no name in common"),
        (faces_of([0, 1]), np.eye(2)[[0, 1]], CLASSES, r"shape \(2, 2\) for 2 faces and 3 labels"),
        (faces_of([0, 1]), 3 * np.eye(3)[[0, 1]], CLASSES, "not probabilities"),
        (faces_of([0, 1]), np.full((2, 3), np.nan), CLASSES, "not probabilities"),
        (faces_of([0, 1]), [[1.5, -0.5, 0], [1, 0, 0]], CLASSES, "not probabilities"),
    ],
)
def test_bad_input_is_refused(faces, probabilities, labels, message):
    with pytest.raises(FaceletError, match=message):
        evaluate(looking_up(probabilities), faces, labels)


def test_several_splits_are_refused():
    faces = faces_of([0, 1])
    faces.splits[0] = 0
    with pytest.raises(FaceletError, match="one split at a time, not train, test"):
        evaluate(looking_up(np.eye(3)), faces, CLASSES)


def test_no_face_of_a_shared_class_is_refused():
    result = evaluate(looking_up(np.eye(3)[[0, 1]]), faces_of([2, 2]), ("neutral", "happiness", "sadness"))
    assert result.all.accuracy == 0
    with pytest.raises(FaceletError, match="no test face has one of the classes"):
        _ = result.shared


def test_a_choice_of_classes_by_hand():
    """Faces of other classes are left out, and the rest of the probability is shared out."""
    faces = faces_of([0, 1, 2, 1])
    probabilities = [[0.5, 0.3, 0.2], [0.5, 0.1, 0.4], [0.1, 0.2, 0.7], [0.2, 0.3, 0.5]]
    result = evaluate(looking_up(probabilities), faces, CLASSES, identical=np.array([0, 1, 0, 0], bool), annotator=0.8)
    few = result.among(["anger", "happiness"])
    assert (few.classes, few.labels, few.truth.tolist()) == (("anger", "happiness"),) * 2 + ([1, 0, 1],)
    assert few.index.tolist() == [1, 2, 3]
    np.testing.assert_allclose(few.probabilities, [[0.8, 0.2], [7 / 9, 2 / 9], [0.625, 0.375]], rtol=1e-6)
    assert (few.all.n, few.all.accuracy) == (3, pytest.approx(1 / 3))
    assert few.identical.tolist() == [True, False, False]
    assert few.annotator is None
    assert result.among(["anger"]).all.accuracy == 1
    with pytest.raises(FaceletError, match="unknown class of the faces 'angr', did you mean 'anger'"):
        result.among(["angr"])


def test_all_splits_together():
    faces = faces_of([0, 1])
    faces.splits[0] = 0
    result = evaluate(looking_up(np.eye(3)), faces, CLASSES, split="all")
    assert (result.split, result.all.n, result.accuracy) == ("all", 2, 1.0)
