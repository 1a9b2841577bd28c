"""The model card: measured on shades and colours, written, and deaf to what names may contain."""

from __future__ import annotations

import re
from dataclasses import replace

import onnx
import pytest

from facelet.errors import FaceletError
from facelet.faces import load
from facelet.faces.sources.pack_writer import write_pack
from facelet.measure.card import card as cards
from facelet.measure.card.corruptions import levels
from facelet.measure.card.markdown import fenced, markdown
from facelet.models import model_file
from facelet.models.model_file import ExitInfo, ExitPoint

pytestmark = pytest.mark.usefixtures("quick_card")


def rows(text: str, heading: str) -> list[list[str]]:
    """Cells of the first table below ``heading``, without its head."""
    lines = text[text.index(f"\n{heading}") :].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("|:--"))
    width = lines[start].count("|")
    found = []
    for line in lines[start + 1 :]:
        if not line.startswith("|"):
            break
        assert len(re.findall(r"(?<!\\)\|", line)) == width
        found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def test_an_expression_model(expression, shades, people):
    source = f"folder:{shades}"
    path = expression(protocol=load(source).protocol.to_json(), licence="mine", figures={}, adjusted=0.3)
    said = []
    card = cards.measured(
        path, faces=[source, f"folder:{shades / 'train'}?val=0.25&test=0.25"], people=f"faces:{people}", say=said.append
    )
    text = markdown(card)
    assert (card.width, card.macs, card.threshold, card.origin) == (2, 2, None, None)
    assert card.bytes == path.stat().st_size
    assert [source.own for source in card.sources] == [True, False]
    assert said[0] == "measuring: folder"
    assert said[-1] == "measuring: latency"
    assert text.partition("---\n\n")[2].startswith(
        "# tiny\n\nFacial expression classifier with 2 classes. "
        "Accuracy on folder test: 90.0 % (95 % CI 69.9–97.2, n = 20); always predicting "
    )
    for part in (
        "| licence of the training faces | mine |",
        "0.3 of its logarithm was subtracted from each logit",
        f"### folder, test\n\n{card.sources[0].protocol}",
        "The model was trained on the training faces of this source.",
        "| balanced accuracy | 90.0 % (69.2–97.2) |",
        "- bright predicted as dark: 2 of 10",
        "The model was made under another protocol and may have been trained on these faces.",
        "12 faces of faces:",
        "; 1 more have names without them",
        "Fewer than 100 test faces: bright (10), dark (10). The figures of these classes are very uncertain.",
        "The run's folder is not available",
        "Not for\n\n- Judging what somebody feels",
        "| output | probabilities of dark, bright |",
        f"`{card.sources[0].protocol.split_hash}`",
    ):
        assert part in text
    assert rows(text, "## Training faces") == [
        ["train", "8", "4", "4"],
        ["val", "8", "4", "4"],
        ["test", "20", "10", "10"],
    ]
    tried = rows(text, "## Under worse conditions")
    assert [row[:2] for row in tried] == [["original", ""], *([x.condition, x.strength] for x in levels(32))]
    assert tried[0][2:4] == ["90.0 % (69.9–97.2)", ""]
    assert tried[6] == ["little light", "6 stops less", "50.0 % (29.9–70.1)", "−40.0 (−60.2 to −14.1)", "100.0 %"]
    groups = {row[0]: row[1:] for row in rows(text, "## By age, gender and race")}
    assert groups["age 0 to 12"] == ["6", "100.0 %", "0.0 % (0.0–39.0)", "0 %", "100 %"]
    assert "accuracy" not in text[text.index("## By age") : text.index("## How it was made")].replace("no accuracy", "")
    assert "\n\n\n" not in text
    assert text.endswith(".\n")
    chosen = markdown(cards.measured(path, faces=[source], split="val"))
    assert "**These faces were used for model selection, so the figures are too good.**" in chosen


def test_what_only_some_models_have(expression, shades):
    card = cards.measured(expression(labels=("dark", "light")), faces=[f"folder:{shades}"])
    points = tuple(ExitPoint(speed=x, threshold=1 - x, val_accuracy=0.8, macs=3, shares=(x, 1 - x)) for x in (0, 1))
    exits = ExitInfo(threshold=0.8, macs=(2, 4), points=points)
    text = markdown(replace(card, info=card.info.model_copy(update={"exits": exits})))
    assert "| early exit | at the first of 2 exits with a confidence of at least 80.0 %;" in text
    assert "| accuracy | 50.0 % (29.9–70.1) | of 20 faces |" in text
    assert "| shared labels only | 100.0 % (72.2–100.0) | of 10 faces |" in text
    assert "early exit" not in markdown(card)


def test_an_identity_model(identity, small_lfw, people):
    path = identity(threshold=0.97)
    card = cards.measured(
        path, pairs=[f"lfw:{small_lfw(folds=10, each=30, size=32)}?align=no"], people=f"faces:{people}"
    )
    text = markdown(card)
    result = card.sources[0].result
    assert (card.width, card.threshold) == (3, 0.97)
    for part in (
        "Face embedding model with 3 dimensions",
        f"Accuracy on lfw: {100 * result.accuracy:.2f} ± {100 * result.standard_error:.2f} % (n = 600 pairs)",
        "two faces count as the same person at a cosine similarity of 0.9700 or more",
        "| TAR at FAR 1 % |",
        "are too few to measure a FAR below 1 %",
        "TAR at the file's threshold, 0.9700",
        "five landmarks aligned to ArcFace's template",
        "facelet verify passport.jpg door.jpg --model identity.onnx",
        "Not for\n\n- Automatic decisions about people",
    ):
        assert part in text
    point = result.at_threshold(0.97)
    tried = rows(text, "## Under worse conditions")
    assert tried[0][4:] == [f"{100 * point.tar:.1f} %", f"{100 * point.far:.2f} %"]
    assert len(tried) == 1 + len(levels(32, 3))
    groups = {row[0]: row[1] for row in rows(text, "## By age, gender and race")}
    assert list(groups)[:2] == ["all", "all from 13 years"]
    assert (groups["all"], groups["all from 13 years"], groups["age 0 to 12"]) == ("66", "15", "15")
    assert "female" not in groups, "they are all children here, who have a row of their own"
    assert "\n\n\n" not in text
    with pytest.raises(FaceletError, match="has no threshold"):
        cards.measured(identity(), pairs=[f"lfw:{small_lfw()}"])


def test_several_sources_of_pairs(identity, small_lfw):
    first, second = (f"lfw:{small_lfw(each=number, name=str(number))}" for number in (6, 8))
    card = cards.measured(identity(threshold=0.97), pairs=[first, second])
    assert [len(source.result.same) for source in card.sources] == [24, 32]
    assert card.trials[0].n == 24
    assert markdown(card).count("| TAR at the file's threshold, 0.9700 |") == 2


def test_other_data_sets_have_a_table(expression, shades, tmp_path):
    """The training protocol names "folder" alone: all faces of a pack of another source are used, and the card says what for."""
    home = load(f"folder:{shades}")
    write_pack(replace(home, source="elsewhere"), tmp_path / "other.pack")
    sources = [f"folder:{shades}", f"pack:{tmp_path / 'other.pack'}"]
    card = cards.measured(expression(protocol=home.protocol.to_json()), faces=sources)
    text = markdown(card)
    own, other = rows(text, "## On other data sets")
    assert own[:4] == ["folder, test", "2", "20", "90.0 % (69.9–97.2)"]
    assert own[-1] == "unknown", "another set may be called folder, too"
    assert other[:3] == ["elsewhere, all splits", "2", "36"]
    assert other[-1] == "no: validation across data sets only"
    assert "### elsewhere, all splits" in text
    assert "The model's training sources do not include this one: validation across data sets only." in text
    assert "## On other data sets" not in markdown(cards.measured(expression(), faces=sources[:1]))


def test_how_it_was_made(run_folder, shades, tmp_path):
    text = markdown(
        cards.measured(run_folder / "student-int8.onnx", faces=[f"folder:{shades}"], run=str(run_folder), split="val")
    )
    assert "```bash\nfacelet run mine\n```" in text
    assert "By Facelet 0.1.0 on a box, in 11 min for the steps" in text
    assert "```yaml\ntitle: Mine\n```" in text
    made = rows(text, "## How it was made")
    assert [row[0] for row in made] == ["teacher", "student", "student-int8", "alone (control)"]
    assert made[2][1:5] == ["quantize", "0", "80.0 % (70.0–87.0)", "5 s"]
    assert "seeds" not in text[text.index("## How it was made") :]
    seeds = markdown(cards.measured(run_folder / "student-s1.onnx", faces=[f"folder:{shades}"], run=str(run_folder)))
    assert "Accuracy over 2 seeds: 80.0 ± 2.8 %." in seeds


def test_a_later_card_keeps_how_it_was_made(run_folder, shades, tmp_path):
    """Where the run's folder is gone, the file's earlier card tells; a third card says no more than the second."""
    path, given = run_folder / "student-int8.onnx", {"faces": [f"folder:{shades}"], "split": "val"}
    first = markdown(cards.measured(path, run=str(run_folder), **given))
    texts = [first]
    for _ in range(2):
        model_file.write(onnx.load(path), model_file.read(path).model_copy(update={"card": texts[-1]}), path)
        texts.append(markdown(cards.measured(path, **given)))
    for text in texts[1:]:
        assert text.count(cards.EARLIER) == 1
        assert rows(text, "## How it was made") == rows(first, "## How it was made")
        assert "The file itself: step" in text
        assert text.count("The file itself: step") == 1
    assert (
        cards.earlier_origin("")
        == cards.earlier_origin(markdown(cards.measured(path, **given)).replace(cards.EARLIER, cards.NO_RUN))
        == ""
    )


def test_where_it_is_right(expression, shades):
    text = markdown(cards.measured(expression(), faces=[f"folder:{shades}"]))
    assert "| runs on | every processor: fp32 |" in text


@pytest.mark.parametrize(
    ("task", "given", "says"),
    [
        ("identity", {"faces": ["toy"]}, "measured on pairs of faces, not on classes: --pairs lfw:PATH"),
        ("identity", {"people": "faces:x"}, "--pairs lfw:PATH"),
        ("identity", {"pairs": ["lfw:x"], "split": "val"}, "pairs have no splits"),
        ("identity", {"pairs": ["lfw:x"], "faces": ["toy"]}, "give one of them"),
        ("expression", {"pairs": ["lfw:x"]}, "pairs of faces are for identity models"),
        ("expression", {}, "give the faces to measure it on: --faces SOURCE"),
        ("expression", {"faces": ["toy"], "split": "tset"}, "did you mean 'test'"),
        ("expression", {"faces": ["toy"], "run": "gone"}, "no folder of a run 'gone'"),
        ("expression", {"faces": ["toy?faces=90"]}, "and the classes of toy (neutral, happiness"),
        ("expression", {"faces": ["toy?faces=90"], "people": "toy?faces=90"}, "--people faces:utkface.zip"),
        ("expression", {"faces": ["lfw:x"]}, "has pairs of faces"),
    ],
)
def test_what_does_not_fit_is_refused(expression, identity, task, given, says):
    made = {"expression": expression, "identity": identity}[task]()
    with pytest.raises(FaceletError) as caught:
        cards.measured(made, **given)
    assert says in str(caught.value)


def test_names_are_text(expression, shades):
    hostile = "a|b<script>`c`\n# d"
    path = expression('it\'s "a".onnx', name=hostile, labels=("dark", "bright"), licence=hostile, recipe=hostile)
    text = markdown(cards.measured(path, faces=[f"folder:{shades}"]))
    assert "<script>" not in text
    assert "\n# d" not in text
    assert "| licence of the training faces | a\\|b&lt;script>\\`c\\` # d |" in text
    code = re.search(r"```python\n(.*?)```", text, re.S)[1]
    compile(code, "card", "exec")
    assert 'model="it\'s \\"a\\".onnx"' in code
    assert fenced("a\n```\nb", "yaml") == "````yaml\na\n```\nb\n````"


def test_what_a_file_says_is_no_markup(expression, shades):
    own = load(f"folder:{shades}").protocol.to_json()
    path = expression(labels=("dark", "bright"), protocol={**own, "split_hash": "`<img src=x>`", "notes": ["![a](b)"]})
    text = markdown(cards.measured(path, faces=[f"folder:{shades}"]))
    assert "<img" not in text
    assert "![a]" not in text
    with pytest.raises(FaceletError, match="damaged protocol"):
        cards.measured(expression(protocol={"source": 3}), faces=[f"folder:{shades}"])
