"""reproduce/ask.py: its file is what a step of kept answers takes, for faces of another size, too."""

from __future__ import annotations

import pytest

from facelet.faces import load
from facelet.learn.teachers.predictions import Predictions

TOY = "toy?faces=160"


def test_its_answers_teach_a_net_of_another_size(benchmark_script, step, job, tmp_path, monkeypatch, capsys):
    script = benchmark_script("ask")
    made = step(epochs=1).run(job("teacher"))
    kept = tmp_path / "teacher.npz"
    words = ["ask.py", str(made.net), "--faces", TOY, "--size", "16", "--channels", "1", "--out", str(kept)]
    monkeypatch.setattr("sys.argv", words)
    script.main()
    train = load(TOY, size=16).split("train")
    found = Predictions.load(kept)
    assert found.logits.shape == found.mirrored_logits.shape == (len(train), len(train.classes))
    assert f"{len(train)} training faces" in capsys.readouterr().out
    taught = step("distill", answers=str(kept), mirror=True, epochs=1).run(job("student", faces=load(TOY, size=24)))
    assert taught.net.exists()
    for place, wrong in ((3, "folder:gone"), (5, "4")):
        monkeypatch.setattr("sys.argv", [*words[:place], wrong, *words[place + 1 :]])
        with pytest.raises(SystemExit, match="error: "):
            script.main()
