"""The built site: all parts, nothing else, and no folder of other files overwritten."""

from __future__ import annotations

import json
import re

import pytest
from photo_fixtures import tiny_info, tiny_model

from facelet.errors import FaceletError
from facelet.models import bundled
from facelet.models.model_file import CropInfo
from facelet.runtime import detector, yunet
from facelet.serve.web import onnxruntime_web, site


@pytest.fixture
def detector_file(tmp_path, monkeypatch):
    file = tmp_path / "yunet.onnx"
    file.write_bytes(b"detector")
    monkeypatch.setenv(yunet.VARIABLE, str(file))
    monkeypatch.delenv("FACELET_MODEL", raising=False)
    return file


@pytest.fixture
def folder(tmp_path, fake_runtime, detector_file):
    site.build(tmp_path / "site")
    return tmp_path / "site"


def config_of(folder) -> dict:
    return json.loads((folder / "config.json").read_text())


def listed(folder, name: str) -> list[str]:
    (found,) = re.findall(rf"const {name} = JSON.parse\('(.*)'\)", (folder / "sw.js").read_text())
    return json.loads(found)


def test_a_site_has_its_parts(folder):
    config = config_of(folder)
    (model,) = config["models"]
    assert model["name"] == "expression"
    assert (folder / model["file"]).read_bytes() == bundled.path_of("expression").read_bytes()
    assert (folder / model["twin"]["file"]).read_bytes() == bundled.path_of("expression-fp32").read_bytes()
    assert (folder / config["detector"]["file"]).read_bytes() == b"detector"
    assert config["detector"]["score"] == detector.SCORE
    assert (folder / "ort/ort.wasm.min.mjs").read_text() == "ort.wasm.min.mjs"
    assert "MIT License" in (folder / "licences/onnxruntime.txt").read_text()
    assert "Shiqi Yu" in (folder / "licences/yunet.txt").read_text()


def test_no_placeholder_is_left_and_the_offline_list_is_complete(folder):
    files = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    for name in ("index.html", "sw.js"):
        assert "{{" not in (folder / name).read_text()
    known, needed = listed(folder, "FILES"), listed(folder, "NEEDED")
    assert set(known) == (files | {"./", "licences/"}) - {"index.html", "licences/index.html", "sw.js", site.MARK}
    assert set(needed) <= set(known)
    assert {"./", "config.json", "models/expression.onnx", "ort/ort-wasm-simd-threaded.wasm"} <= set(needed)
    assert not [name for name in needed if "asyncify" in name or "fp32" in name]


def test_the_page_has_no_inline_code_and_names_no_other_server(folder):
    html = (folder / "index.html").read_text()
    assert site.CSP in html
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=", html)
    own = [file for file in folder.rglob("*") if file.suffix in (".html", ".css", ".js", ".svg", ".webmanifest")]
    addresses = {
        url for file in own for url in re.findall(r"(?:https?:)?//[\w.-]+\.[a-z]{2,}[^\s\"']*", file.read_text())
    }
    assert addresses <= {"http://www.w3.org/2000/svg", "https://doi.org/10.1007/s11633-023-1423-y"}


def test_an_earlier_site_is_brought_up_to_date(folder, tmp_path):
    before = (folder / "sw.js").read_text()
    (folder / "config.json").unlink()
    (folder / "mine.txt").write_text("kept")
    result = site.build(folder, ["expression-tiny"])
    assert config_of(folder)["models"][0]["name"] == "expression-tiny"
    assert not (folder / "models/expression.onnx").exists()
    assert (folder / "mine.txt").exists()
    assert (folder / "sw.js").read_text() != before
    assert result.version in (folder / "sw.js").read_text()
    written = (folder / "style.css").stat().st_mtime_ns
    assert site.build(folder, ["expression-tiny"]) == result
    assert (folder / "style.css").stat().st_mtime_ns == written


def test_a_manifest_cannot_remove_files_elsewhere(folder, tmp_path):
    other = tmp_path / "other.txt"
    other.write_text("kept")
    mark = json.loads((folder / site.MARK).read_text())
    mark["files"] |= {"../other.txt": "", str(other): ""}
    (folder / site.MARK).write_text(json.dumps(mark))
    site.build(folder)
    assert other.exists()


def test_folders_with_other_files_are_not_touched(tmp_path, fake_runtime, detector_file):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/1.jpg").write_bytes(b"")
    with pytest.raises(FaceletError, match="has other files; expected a new or empty folder"):
        site.build(tmp_path / "photos")
    with pytest.raises(FaceletError, match="is not a folder"):
        site.build(tmp_path / "photos/1.jpg")


def test_a_file_of_ones_own_gets_a_name_of_its_hash(tmp_path, fake_runtime, detector_file):
    model = tiny_model(tmp_path / "my model & <i>.onnx")
    site.build(tmp_path / "site", [model, "expression"])
    first, second = config_of(tmp_path / "site")["models"]
    assert first["name"] == "tiny"
    assert first["twin"] is None
    assert re.fullmatch(r"models/[0-9a-f]{12}\.onnx", first["file"])
    assert second["name"] == "expression"


@pytest.mark.parametrize(
    ("name", "reason"),
    [("identity", "its task is identity"), ("eyes", "it crops by eyes"), ("none-such.onnx", "no model file")],
)
def test_models_that_cannot_run_in_the_page_are_refused(tmp_path, fake_runtime, detector_file, name, reason):
    if name == "eyes":
        name = str(tiny_model(tmp_path / "eyes.onnx", tiny_info(crop=CropInfo(align="eyes"))))
    with pytest.raises(FaceletError, match=reason):
        site.build(tmp_path / "site", [name])


@pytest.fixture
def user_cache(tmp_path, monkeypatch):
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_: tmp_path / "cache")
    return tmp_path / "cache"


def test_the_servers_site_is_kept_in_the_cache(user_cache, fake_runtime, detector_file):
    place = site.folder()
    assert place == user_cache / "web"
    assert (place / "index.html").is_file()
    (fake_runtime / "ort.wasm.min.mjs").write_text("upgraded")
    assert site.folder() == place
    assert (place / "ort/ort.wasm.min.mjs").read_text() == "upgraded"


def test_without_its_parts_the_server_has_no_site_and_downloads_none(user_cache, detector_file, monkeypatch):
    monkeypatch.delenv(onnxruntime_web.VARIABLE, raising=False)
    monkeypatch.setattr(onnxruntime_web, "_download", lambda *_: pytest.fail("downloaded"))
    assert site.folder() is None
