"""`facelet predict --out` and `--ray`: its arguments, its summary and its errors. What it writes: tests/batch."""

from __future__ import annotations

import json
import re

import cv2
import numpy as np
import pytest
import typer

from facelet.cli.app import app
from facelet.cli.batch import with_address
from facelet.errors import FaceletError


@pytest.mark.parametrize(
    ("given", "completed"),
    [
        (["a", "--ray", "--out", "x"], ["a", "--ray", "", "--out", "x"]),
        (["--ray", "photos"], ["--ray", "", "photos"]),
        (["a", "--ray"], ["a", "--ray", ""]),
        (["a", "--ray", "auto"], ["a", "--ray", "auto"]),
        (["--ray", "10.0.0.1:6379", "a"], ["--ray", "10.0.0.1:6379", "a"]),
        (["--ray", "ray://head:10001", "a"], ["--ray", "ray://head:10001", "a"]),
        (["--ray", ""], ["--ray", ""]),
        (["--ray=auto", "a"], ["--ray=auto", "a"]),
        (["--", "--ray"], ["--", "--ray"]),
    ],
)
def test_ray_with_and_without_an_address(given, completed):
    assert with_address(given) == completed


def call(*args: str):
    return typer.main.get_command(app)(["predict", *args], standalone_mode=False)


@pytest.fixture
def crops(tmp_path, monkeypatch, tiny):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FACELET_MODEL", str(tiny))
    (tmp_path / "crops").mkdir()
    for shade in (20, 250):
        cv2.imwrite(f"crops/{shade}.png", np.full((24, 24, 3), shade, np.uint8))
    (tmp_path / "crops" / "torn.png").write_bytes(b"torn")
    return tmp_path


def test_the_summary(crops, capsys):
    pytest.importorskip("pyarrow")
    call("crops", "--cropped", "--out", "faces")
    text = capsys.readouterr().out
    assert re.match("3 files in .+, 2 faces, 1 that cannot be decoded, see the column error: faces", text)
    call("crops", "--cropped", "--out", "faces", "--json")
    summary = json.loads(capsys.readouterr().out)
    assert (summary["out"], summary["files"], summary["done_before"], summary["faces"]) == ("faces", 3, 3, 0)


def test_what_is_no_photo_is_counted_and_named(crops, capsys, monkeypatch):
    pytest.importorskip("pyarrow")
    monkeypatch.setattr("facelet.io.heic.installed", lambda: False)
    (crops / "crops/phone.heic").write_bytes(b"x")
    (crops / "crops/notes.txt").write_bytes(b"x")
    call("crops", "--cropped", "--out", "faces", "--json")
    captured = capsys.readouterr()
    assert re.search(r"not read: 1 HEIC photo \(phone.heic\); to read HEIC: pip install .*heic", captured.err)
    assert "not read: 1 other file (notes.txt)\n" in captured.err
    assert json.loads(captured.out)["passed_over"] == ["crops/notes.txt", "crops/phone.heic"]


def test_only_broken_files_are_an_error(crops):
    pytest.importorskip("pyarrow")
    with pytest.raises(FaceletError, match=r"^crops/torn.png: not a readable image"):
        call("crops/torn.png", "--cropped", "--out", "faces")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--ray"], "--ray writes Parquet files: also give --out DIR"),
        (["--out", "x", "--csv"], "leave out --save and --csv"),
        (["--out", "x", "--save", "y"], "leave out --save and --csv"),
        (["--out", "x", "--workers", "2"], "--workers is for --ray"),
        (["--out", "x", "--ray=photos"], "--ray photos: expected an address"),
    ],
)
def test_options_that_do_not_fit(crops, options, message):
    with pytest.raises(FaceletError, match=message):
        call("crops", *options)


def test_an_identity_model_is_refused(crops, make_identity):
    pytest.importorskip("pyarrow")
    make_identity(crops / "id.onnx")
    with pytest.raises(FaceletError, match=r"id.onnx is a model for identity; expected a model for expression"):
        call("crops", "--cropped", "--out", "faces", "--model", "id.onnx")


def test_without_ray_the_message_says_what_to_install(crops, monkeypatch):
    pytest.importorskip("pyarrow")
    monkeypatch.setattr("facelet.batch.job.find_spec", lambda name: None if name == "ray" else object())
    with pytest.raises(FaceletError, match=r"--ray needs ray: pip install .*\[ray\]"):
        call("crops", "--cropped", "--ray", "--out", "faces")
