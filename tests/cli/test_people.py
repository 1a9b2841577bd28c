"""verify, enroll, identify and gallery as they are typed: exit codes and options."""

from __future__ import annotations

import sys

import pytest

from facelet.cli import app as cli
from facelet.runtime.people.gallery import Gallery


def typed(monkeypatch, capsys, *words):
    """(exit code, standard output, standard error) of ``facelet WORDS``."""
    monkeypatch.setattr(sys, "argv", ["facelet", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    captured = capsys.readouterr()
    return ended.value.code, captured.out, captured.err


@pytest.mark.parametrize(("same", "code"), [(True, 0), (False, 1)])
def test_the_exit_code_of_verify_is_its_verdict(monkeypatch, capsys, same, code):
    asked = {}

    def command(a, b, **options):
        asked.update(options, photos=(a, b))
        return code

    monkeypatch.setattr("facelet.cli.verify.command", command)
    assert (
        typed(monkeypatch, capsys, "verify", "a.jpg", "b.jpg", "--threshold", "0.4", "--largest", "--json")[0] == code
    )
    assert asked["photos"] == ("a.jpg", "b.jpg")
    assert (asked["threshold"], asked["largest"], asked["as_json"]) == (0.4, True, True)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("verify", "a.jpg", "b.jpg"), "FACELET_IDENTITY_MODEL"),
        (("verify", "a.jpg"), "Missing argument"),
        (("enroll", "Anna", "gone.jpg"), "no photo or folder"),
        (("enroll", "Anna"), "Missing argument"),
        (("gallery", "list"), "no gallery"),
        (("gallery", "remove", "Anna"), "no gallery"),
        (("gallery", "remove", "a\nb"), "no gallery"),
        (("gallery", "export", "--csv"), "no gallery"),
        (("gallery", "rename", "Anna", "Berta"), "no gallery"),
        (("gallery", "rename", "Anna"), "Missing argument"),
        (("gallery", "retention"), "no gallery"),
        (("gallery", "retention", "soon"), "expected a number of hours, days or weeks"),
        (("gallery", "copy", "gone.db", "new.db"), "no gallery 'gone.db'"),
        (("gallery", "copy", "mysql://u:s3cret@h/d", "new.db"), "starts with 'mysql'; expected postgresql://"),
        (("gallery", "list", "--gallery", "postgresql://u:s3@cret@h/d"), "not shown: it may contain a password"),
        (("gallery", "list", "--gallery-key", "gone.key"), "cannot read gone.key"),
        (("gallery", "key", "gone/g.key"), "cannot write gone/g.key"),
        (("gallery", "lost"), "No such command"),
    ],
)
def test_mistakes_end_with_2_and_a_word(monkeypatch, capsys, tmp_path, shelf, words, says):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FACELET_IDENTITY_MODEL", raising=False)
    monkeypatch.setenv("FACELET_GALLERY", str(tmp_path / "people.db"))
    code, out, err = typed(monkeypatch, capsys, *words)
    assert (code, out) == (2, "")
    assert says in err
    assert "Traceback" not in err
    assert "cret" not in err
    assert list(tmp_path.iterdir()) == []


def test_the_options_reach_the_gallery(monkeypatch, capsys):
    made = {}

    class Fake(Gallery):
        def __init__(self, file="", model="", detector="", threshold=None, threads=0, key=""):
            made.update(file=file, model=model, detector=detector, threshold=threshold, threads=threads, key=key)
            super().__init__(file, model, detector, threshold, threads)

    monkeypatch.setattr("facelet.runtime.people.gallery.Gallery", Fake)
    monkeypatch.setattr("facelet.cli.gallery.enroll_photos", lambda people, name, photos, **_: print(name, photos))
    options = ["--gallery", "g.db", "--model", "m.onnx", "--detector", "d.onnx", "--threshold", "0.2", "--threads", "2"]
    options += ["--gallery-key", "g.key"]
    code, out, _ = typed(monkeypatch, capsys, "enroll", "Anna", "a.jpg", "b.jpg", *options)
    assert (code, out) == (0, "Anna ['a.jpg', 'b.jpg']\n")
    assert made == {
        "file": "g.db",
        "model": "m.onnx",
        "detector": "d.onnx",
        "threshold": 0.2,
        "threads": 2,
        "key": "g.key",
    }
