"""The page's scripts for tiles and turned faces in node: the same constants, maps, pixels and choices as the runtime's Python."""

from __future__ import annotations

import base64
import math

import numpy as np
import pytest

from facelet.models.model_file import CropInfo
from facelet.runtime import align, detection, detector, tiles, turns
from facelet.runtime.detection import Detection
from facelet.serve.web import site

NO_POINTS = np.zeros((5, 2), np.float32)


@pytest.fixture(scope="module")
def rng():
    return np.random.default_rng(11)


def constants(module) -> dict:
    return {name: value for name, value in vars(module).items() if name.isupper()}


@pytest.mark.parametrize("module", [tiles, turns], ids=["tiles", "turns"])
def test_the_constants_are_pythons(javascript, module):
    expected = constants(module)
    answer = javascript({module.__name__.split(".")[-1]: list(expected)}, f"answer({{{', '.join(expected)}}})")
    assert answer == expected


def test_the_detectors_constants_are_pythons():
    ours = site._config([])
    assert ours["frames"] == detector.FRAMES
    names = {
        "scoreOfCrops": detector.SCORE_OF_CROPS,
        "glance": detector.GLANCE,
        "diagonalGlance": detector.DIAGONAL_GLANCE,
        "glanceScore": detector.GLANCE_SCORE,
        "turned": detector.TURNED,
    }
    assert {name: ours["detector"][name] for name in names} == names


def test_tiles_are_pythons(javascript):
    sizes = [(480, 640), (2000, 3000), (1500, 1601), (9000, 700), (6124, 8165), (853, 854), (1, 40_000)]
    script = """
answer(given.map(([height, width]) => {
  const finer = scales(640 / Math.max(width, height));
  return [finer, [...finer, 0.5].map(scale => tiles(height, width, scale))];
}))"""
    for (height, width), (scales, layouts) in zip(
        sizes, javascript({"tiles": ["scales", "tiles"]}, script, sizes), strict=True
    ):
        assert scales == tiles.scales(640 / max(height, width))
        for scale, layout in zip([*scales, 0.5], layouts, strict=True):
            expected = [
                {**vars(tile), "core": [edge if math.isfinite(edge) else None for edge in tile.core]}
                for tile in tiles.tiles(height, width, scale)
            ]
            assert layout == expected


def test_faces_seen_twice_are_pythons(javascript, rng):
    boxes = np.column_stack([rng.uniform(0, 900, (300, 2)), rng.uniform(20, 150, (300, 2))]).astype(np.float32)
    scores = rng.uniform(0.6, 1, 300).astype(np.float32).round(2)
    rows = np.column_stack([boxes, np.zeros((300, 10), np.float32), scores])
    tile = tiles.tiles(2000, 3000, 0.75)[1]
    script = """
const tile = tiles(2000, 3000, 0.75)[1], faces = given.boxes.map((box, number) => ({box, number}));
answer([distinct(given.boxes, given.scores), own(tile, faces, 0.75).map(({number}) => number)])
"""
    given = {"boxes": boxes.tolist(), "scores": scores.tolist()}
    kept, owned = javascript({"tiles": ["tiles", "distinct", "own"]}, script, given)
    assert kept == tiles.distinct(boxes, scores).tolist()
    np.testing.assert_array_equal(rows[owned], tiles.own(tile, rows, 0.75))
    assert len(owned) > 3


ANGLES = [90.0, -90.0, 180.0, 45.0, -45.0, 135.0, -135.0, 30.0, 7.3]


@pytest.mark.parametrize("size", [(320, 240), (320, 213), (224, 224), (161, 320)], ids=str)
def test_turned_photos_are_opencvs(javascript, rng, size):
    width, height = size
    photo = rng.integers(0, 256, (height, width, 3), np.uint8)
    script = """
answer(given.angles.map(angle => {
  const {image: turned, unit} = canvas(image(given.photo), angle);
  return {width: turned.width, height: turned.height, unit, data: Buffer.from(turned.data).toString("base64")};
}))"""
    answers = javascript({"turns": ["canvas"]}, script, {"photo": photo, "angles": ANGLES})
    for angle, answer in zip(ANGLES, answers, strict=True):
        expected, unit = turns.canvas(photo, angle)
        assert (answer["height"], answer["width"], 3) == expected.shape, "the network pads to a multiple of 32"
        np.testing.assert_allclose(answer["unit"], unit, atol=1e-9)
        assert_near(answer["data"], expected)


def assert_near(encoded: str, expected: np.ndarray) -> None:
    """Pixels differ by a grey level at most, and hardly any does."""
    ours = np.frombuffer(base64.b64decode(encoded), np.uint8).reshape(expected.shape)
    apart = np.abs(ours.astype(int) - expected)
    assert apart.max() <= 1
    assert (apart > 0).mean() < 0.002


def test_patches_and_turned_crops_are_pythons(javascript, rng):
    """Inside the photo and beyond it, enlarged, averaged, and averaged twice."""
    photo = rng.integers(0, 256, (700, 900, 3), np.uint8)
    faces = [
        ((400.2, 300.1, 40.0, 52.3), 30.0),
        ((-20.0, 10.0, 90.5, 80.0), -120.0),
        ((500.0, 400.0, 300.0, 380.0), 45.0),
        ((100.0, 50.0, 640.0, 600.0), 170.0),
        ((880.0, 660.0, 60.0, 61.0), 90.0),
        ((30.5, 40.0, 200.0, 210.0), -90.0),
        ((300.0, 300.0, 64.0, 64.0), 180.0),
        ((-3000.0, -3000.0, 6000.0, 6000.0), 0.0),
    ]
    script = """
answer(given.faces.map(([box, roll]) => Buffer.from(cut(image(given.photo), box, 0.1, 48, roll).data).toString("base64")))
"""
    answers = javascript({"align": ["cut"]}, script, {"photo": photo, "faces": faces})
    crop = CropInfo(align="box", margin=0.1)
    for (box, roll), answer in zip(faces, answers, strict=True):
        assert_near(answer, align.cut(photo, box, NO_POINTS, crop, 48, roll))


def test_a_turned_part_leads_back_as_in_python(javascript, rng):
    points = rng.uniform(0, 300, (5, 2)).astype(np.float32)
    given = [
        {"box": rng.uniform(10, 200, 4).tolist(), "score": 0.9, "landmarks": points.tolist(), "roll": roll}
        for roll in (0.0, 20.0, -170.0, 91.0)
    ]
    script = """
const photo = {data: new Uint8Array(3 * 90 * 60), width: 90, height: 60, channels: 3};
answer(given.faces.map(face => ({
  frames: [0, 1, 2, 3].map(quarter => fromFrame(face, quarter, {width: 640, height: 480})),
  parts: given.angles.map(angle => inPhoto(face, canvas(photo, angle).unit, angle)),
  eyes: eyeLine(face.landmarks)})))"""
    names = {"turns": ["canvas", "inPhoto"], "detection": ["eyeLine", "fromFrame"]}
    answers = javascript(names, script, {"faces": given, "angles": ANGLES})
    for face, answer in zip(given, answers, strict=True):
        seen = Detection(tuple(face["box"]), 0.9, points, face["roll"])
        assert answer["eyes"] == pytest.approx(detection.eye_line(points))
        for quarter, ours in enumerate(answer["frames"]):
            assert_same_face(ours, detection.from_frame(seen, quarter, (480, 640, 3)))
        for angle, ours in zip(ANGLES, answer["parts"], strict=True):
            unit = turns.canvas(np.zeros((60, 90, 3), np.uint8), angle)[1]
            assert_same_face(ours, turns.in_photo(seen, unit, angle))


def assert_same_face(ours: dict, face: Detection) -> None:
    np.testing.assert_allclose(ours["box"], face.box, atol=1e-4)
    np.testing.assert_allclose(ours["landmarks"], face.landmarks, atol=1e-3)
    assert ours["roll"] == pytest.approx(face.roll, abs=1e-6)


def test_the_peak_of_the_score_and_the_common_turn_are_pythons(javascript):
    """Of scores that fall with the angle, with and without a look at the quarter turns."""
    script = """
const away = (a, b) => Math.abs(wrapped(a - b));
const score = (angle, turn) => Math.max(0.57, 0.94 - away(angle, turn) ** 2 / 14000, 0.86 - away(angle, turn + 180) ** 2 / 14000);
const peaks = turn => [true, false].map(quarters => peak(async angle => score(angle, turn), quarters));
answer({
  peaks: await Promise.all(given.turns.flatMap(peaks)),
  common: given.rolls.map(rolls => common(rolls.map(roll => ({roll}))))});
"""
    angles = [-170, -100, -47, -20, 0, 13, 44, 95, 135, 180]
    rolls = [[0, 0, 90], [90, 80, 0], [170, -170], [12, 0], [45.5], []]

    def score(angle: float, turn: float) -> float:
        away, other = abs(detection.wrapped(angle - turn)), abs(detection.wrapped(angle - turn - 180))
        return max(0.57, 0.94 - away**2 / 14_000, 0.86 - other**2 / 14_000)

    names = {"turns": ["peak", "common"], "detection": ["wrapped"]}
    answer = javascript(names, script, {"turns": angles, "rolls": rolls})
    expected = [
        turns._peak(lambda angle, turn=turn: score(angle, turn), way) for turn in angles for way in (True, False)
    ]
    np.testing.assert_allclose(answer["peaks"], expected, atol=1e-9)
    faces = [[Detection((0, 0, 1, 1), 1.0, NO_POINTS, float(roll)) for roll in some] for some in rolls]
    np.testing.assert_allclose(answer["common"], [turns.common(some) for some in faces], atol=1e-9)
