"""The report: whole, self-contained, and deaf to what names may contain."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from facelet.errors import FaceletError
from facelet.faces import FaceSet, load
from facelet.faces.pairset import draw_pairs
from facelet.learn.cyclegan.quality import Quality
from facelet.measure.classification import evaluate
from facelet.measure.ledger.ledger import Ledger, Row, compared
from facelet.measure.ledger.row import figures
from facelet.measure.metrics.intervals import paired_difference
from facelet.measure.report.report import write_report
from facelet.text import signed

CLASSES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
SHARES = (0.346, 0.283, 0.126, 0.122, 0.087, 0.006, 0.026, 0.004)
MODELS = {  # skill, parent, step, params, MACs, bytes, p50, precision, control
    "teacher": (3.35, "", "train", 11_200_000, 310e6, 44_900_000, 8.9, "fp32", False),
    "student": (3.15, "teacher", "distill", 1_262_000, 12e6, 5_120_000, 1.52, "fp32", False),
    "student-int8": (3.12, "student", "quantize", 1_262_000, 12e6, 1_390_000, 0.81, "int8", False),
    "student-alone": (2.95, "", "train", 1_262_000, 12e6, 5_120_000, 1.53, "fp32", True),
}


def drawn_face(label, rng, size=48):
    """A round head with eyes and a mouth whose bend is its label's: enough to look at."""
    y, x = np.mgrid[:size, :size] / size - 0.5
    face = 70 + 25 * rng.random() + 110 * (x**2 / 0.14 + y**2 / 0.2 < 1) + 8 * rng.standard_normal((size, size))
    for side in (-1, 1):
        face -= 90 * ((x - 0.15 * side) ** 2 + (y + 0.1 - 0.02 * (label % 3)) ** 2 < 0.0022)
    bend = (label - 3.5) / 5
    face -= 90 * ((abs(x) < 0.18) & (abs(y - 0.2 + bend * (x**2 * 4 - 0.06)) < 0.022))
    return np.clip(face, 0, 255)


def plausible(n=900, seed=0):
    """Test faces with votes, four models' answers on them, a ledger and learning curves: everything a report shows."""
    rng = np.random.default_rng(seed)
    labels = np.sort(rng.choice(8, n, p=np.array(SHARES) / sum(SHARES)))
    images = np.stack([drawn_face(label, rng) for label in labels])[..., None].astype(np.uint8)
    votes = rng.dirichlet(np.full(8, 0.25), n) * 0.45 + 0.55 * np.eye(8)[labels]
    names = np.array([f"fer{k:07}.png" for k in range(n)])
    faces = FaceSet(
        images, labels, np.full(n, 2, np.int8), names, CLASSES, "ferplus", votes.astype(np.float32), rule="majority"
    )
    shared, rows, results = rng.normal(size=(n, 8)), {}, {}
    for name, (skill, parent, step, params, macs, size, p50, precision, control) in MODELS.items():
        hard = (
            skill * np.eye(8)[labels] + 1.2 * shared + 0.55 * rng.normal(size=(n, 8)) + 1.2 * np.log(SHARES)[None] * 0.3
        )
        probabilities = np.exp(1.4 * hard) / np.exp(1.4 * hard).sum(1, keepdims=True)
        results[name] = evaluate(
            lambda some, p=probabilities: p, faces, CLASSES, identical=rng.random(n) < 0.09, annotator=0.785
        )
        against = "student" if control else parent
        row = Row(
            name=name, parent=parent, step=step, params=params, macs=int(macs), bytes=size, p50_ms=p50,
            p95_ms=p50 * 1.14,
            precision=precision, control=control, compare=against if control else "", machine="a box", seconds=1900,
            **figures(results[name]),
        )  # fmt: skip
        difference = paired_difference(results[name].correct, results[against].correct) if against else None
        rows[name] = compared(row, rows.get(against), difference)
    curves = {}
    for name, top in (("teacher", 0.88), ("student", 0.86), ("student-alone", 0.845)):
        epochs = np.arange(1, 25)
        accuracy = top - 0.5 * np.exp(-epochs / 5) + 0.006 * rng.standard_normal(24)
        loss = 0.55 + 1.3 * np.exp(-epochs / 6) + 0.02 * rng.standard_normal(24)
        curves[name] = [
            {"epoch": str(e), "train_loss": str(t), "val_loss": "", "val_accuracy": str(a)}
            for e, t, a in zip(epochs, loss, accuracy, strict=True)
        ]
    return faces, Ledger(rows.values()), results, curves


def written(path, **others):
    faces, ledger, results, curves = plausible(seed=1)
    given = {
        "title": "T-SNet", "paper": "Zhao et al., Microelectronics & Computer 2025(4)", "ledger": ledger,
        "protocol": faces.protocol, "evaluations": results, "faces": faces, "curves": curves,
        "machine": "AMD EPYC 9575F, 2 cores (avx2 avx512_vnni); Linux; Python 3.11.7; ONNX Runtime 1.32",
        "about": "Said: two stages.\n\nChoice: T = 4.",
        "recipe_text": "title: T-SNet\nfaces: {source: ferplus, size: 48}\nsteps:\n"
        "- {do: train, as: teacher, net: resnet18-finegrained, epochs: 24}\n",
        "command": "facelet run tsnet --faces ferplus:DIR --out runs/tsnet",
        "notes": ["Teacher pre-training: none."],
    }  # fmt: skip
    write_report(path, **{**given, **others})
    return path.read_text(encoding="utf-8")


class Reader(HTMLParser):
    """Tags, attributes and text, as a browser would take them apart."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text, self.open = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text.append(data)


def test_recall_chart_is_to_scale(page):
    """Every bar lies on the scale, and its mark on the bar."""
    chart = page[page.index('<div class="recall">') :]
    bars = re.findall(r'<i style="left:([\d.-]+)%;width:([\d.]+)%"></i><b style="left:([\d.-]+)%">', chart)
    assert len(bars) == 8 * 3
    for left, width, mark in (map(float, bar) for bar in bars):
        assert -0.1 <= left <= mark + 0.1
        assert mark <= left + width + 0.1
        assert left + width <= 100.1


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return written(tmp_path_factory.mktemp("report") / "report.html")


def test_everything_is_in_one_page(page):
    said = " ".join(" ".join(Reader(page).text).split())
    for part in (
        "T-SNet", "After Zhao et al.", "student-int8: accuracy", "Choice: T = 4.",
        "Ledger", "Accuracy against latency and size", "Learning curves",
        "Recall by class",
        "Confusion matrix", "Calibration", "Most confident errors", "contempt",
        "Teacher pre-training: none.", "facelet run tsnet", "resnet18-finegrained", "AMD EPYC", "votes:",
        "one annotator",
        "without faces identical to a training face", "control",
    ):  # fmt: skip
        assert part in said, part


def test_it_fetches_nothing_and_runs_nothing(page):
    reader = Reader(page)
    assert not {"script", "iframe", "link", "object"} & set(reader.tags)
    places = [value for name, value in reader.attributes if name in ("src", "href", "xlink:href", "action")]
    assert places
    assert all(place.startswith(("data:image/png;base64,", "#")) for place in places)
    assert not re.search(r"url\((?!#)", page)
    assert "default-src 'none'" in page


def test_ids_are_unique_and_all_references_lead_somewhere(page):
    ids = [value for name, value in Reader(page).attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"url\(#([^)]+)\)", page)) <= set(ids)


def test_plots_take_the_pages_colours(page):
    assert "var(--c0)" in page
    assert "var(--ink)" in page
    assert "#0101" not in page
    assert "DejaVu" not in page


def test_it_is_light(page):
    assert len(page) < 1_500_000


def test_names_of_users_are_text(tmp_path):
    evil = "<script>alert(\"x\")</script>$\\frac{1}{0}$ & 'quoted' %s {{ 7*7 }} --> ]]>"
    faces, ledger, results, curves = plausible(n=120)
    ledger = Ledger(row.model_copy(update={"name": f"{evil}{row.name}"}) for row in ledger.rows)
    faces = FaceSet(
        faces.images, faces.labels, faces.splits, np.array([f"{evil}{k}" for k in range(120)]),
        tuple(f"{name}{evil}" for name in CLASSES), evil, faces.votes, rule=evil, notes=(evil,),
    )  # fmt: skip
    again = {
        evil + name: evaluate(lambda _, r=result: r.probabilities, faces, faces.classes)
        for name, result in results.items()
    }
    text = written(
        tmp_path / "r.html", title=evil, paper=evil, ledger=ledger, protocol=faces.protocol, evaluations=again,
        faces=faces,
        curves={evil + name: rows for name, rows in curves.items()},
        machine=evil, about=evil, recipe_text=evil, command=evil,
        notes=[evil],
    )  # fmt: skip
    reader = Reader(text)
    assert "script" not in reader.tags
    assert not [name for name, _ in reader.attributes if name.startswith("on")]
    assert text.count("<script") == 0
    assert "7*7" in text
    assert "&lt;script&gt;alert" in text


def test_a_run_without_anything_still_has_a_page(tmp_path):
    faces, *_ = plausible(n=60)
    text = written(
        tmp_path / "r.html",
        ledger=Ledger(),
        evaluations={},
        curves={},
        paper="",
        recipe_text="",
        command="",
        faces=faces,
        notes=[],
    )
    assert "Nothing has been measured yet." in text


def test_the_difference_beside_the_first_model_has_its_interval_and_leaks_are_said(tmp_path):
    faces, ledger, results, _ = plausible(n=120)
    first, small = (end.row.name for end in ledger.ends())
    ledger.paired = results[small].against(results[first])
    seen = {name: replace(result, identical=np.ones(120, bool)) for name, result in results.items()}
    text = written(tmp_path / "r.html", faces=faces, ledger=ledger, evaluations=seen, protocol=faces.protocol)
    assert f"{signed(ledger.paired.low)} to {signed(ledger.paired.high)}" in text
    assert "none: all 120 are identical" in text


def test_one_model_colour_faces_other_labels_and_several_seeds(tmp_path):
    rng = np.random.default_rng(3)
    images = rng.integers(0, 255, (40, 200, 200, 3), np.uint8)
    labels = np.arange(40) % 3
    names = np.array([str(k) for k in range(40)])
    faces = FaceSet(images, labels, np.full(40, 2, np.int8), names, ("happy", "sad", "wink"), "mine")
    answers = rng.dirichlet(np.ones(3), 40)
    result = evaluate(lambda _: answers, faces, ("Sadness", "Happiness", "Fear"))
    plain = {"step": "train", "params": 10, "macs": 10, "bytes": 100, "p50_ms": 0, "p95_ms": 0, **figures(result)}
    ledger = Ledger(Row(name="net", seed=seed, **plain) for seed in range(3))
    curves = {"net": [{"epoch": 1, "val_accuracy": 0.5}], "net-s1": [{"epoch": 1, "val_accuracy": "nan"}]}
    text = written(
        tmp_path / "r.html",
        ledger=ledger,
        evaluations={"net": result},
        faces=faces,
        protocol=faces.protocol,
        curves=curves,
    )
    assert "(n = 3)" in text
    assert "shared labels only" in text
    assert "Fear" in text


def test_answers_on_other_faces_are_refused(tmp_path):
    faces, *_ = plausible(n=60)
    with pytest.raises(FaceletError, match="the predictions of 'teacher' are not on the 60 faces"):
        written(tmp_path / "r.html", faces=faces)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_made_faces_are_shown_with_what_they_are_worth(tmp_path):
    assert "Synthetic faces" not in written(tmp_path / "plain.html")
    sheet = tmp_path / "00.png"
    sheet.write_bytes(b"\x89PNG of a sheet")
    quality = Quality("<b>fear</b>", 532, 1200, 400, 0.71, 0.64, 0.12, 0.9, None, 0.015, None)
    text = written(tmp_path / "made.html", made={"made": [{**quality.to_json(), "picture": sheet}]})
    assert "Synthetic faces of made" in text
    assert base64.b64encode(sheet.read_bytes()).decode() in text
    assert "&lt;b&gt;fear&lt;/b&gt;" in text
    for figure in (
        "400 of 1,200 kept",
        "recognised 71.0 % (real 64.0 %)",
        "distance 0.12 (sources 0.90)",
        "near duplicates 1.5 %",
    ):
        assert figure in text


def test_the_report_shows_who_is_taken_for_whom(pair_ledger, pair_scores, pairs, tmp_path):
    write_report(
        tmp_path / "report.html",
        title="People",
        ledger=pair_ledger,
        protocol=pairs.protocol,
        evaluations=pair_scores,
        faces=pairs,
    )
    text = (tmp_path / "report.html").read_text()
    assert "ROC curve" in text
    assert "Most confident errors" in text
    assert text.count('class="two-faces"') == 12
    assert "at 1 % FAR" in text
    assert "Recall by class" not in text
    assert "<h2>Calibration" not in text


def test_scores_of_other_pairs_are_refused(pair_ledger, pair_scores, pairs, tmp_path):
    with pytest.raises(FaceletError, match="not on the"):
        write_report(
            tmp_path / "report.html",
            title="People",
            ledger=pair_ledger,
            protocol=pairs.protocol,
            evaluations=pair_scores,
            faces=draw_pairs(load("toy?faces=300&identities=40", size=32), 500),
        )
