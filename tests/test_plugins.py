"""Plugins: what they bring, that they are imported once, and a clean error for each way in which one can be wrong."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint

import pytest

from facelet import plugins
from facelet.cli import app as cli
from facelet.errors import FaceletError
from facelet.faces import SOURCES, load
from facelet.nets import NETS
from facelet.recipes import schema

SOURCE = """
from facelet.faces.loading import SOURCES
from facelet.faces.sources.toy import toy


@SOURCES.register("{name}")
def few(path: str = "", *, size: int | None = None, channels: int | None = None, faces: int = 30):
    return toy(size=size, channels=channels, faces=faces)
"""


@pytest.fixture(autouse=True)
def untouched(monkeypatch, tmp_path):
    for registry in (NETS, SOURCES):
        monkeypatch.setattr(registry, "_entries", dict(registry._entries))
    for name in ("registered", "problems", "_loaded"):
        monkeypatch.setattr(plugins, name, type(getattr(plugins, name))(getattr(plugins, name)))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    monkeypatch.chdir(tmp_path)


def write(name: str, text: str) -> str:
    with open(name, "w", encoding="utf-8") as file:
        file.write(text)
    return name


def test_a_file_is_imported_once_and_may_import_its_neighbours():
    write("shared_by_plugins.py", "NAME = 'few_faces'")
    text = SOURCE.format(name="few_faces").replace("@SOURCES", "from shared_by_plugins import NAME\n\n\n@SOURCES")
    file = write("plugin_once.py", text)
    assert plugins.load_file(file) == plugins.load_file(f"./{file}") == ("face source few_faces",)
    assert len(load("few_faces")) == 30
    assert len(load("few_faces?faces=60")) == 60


def test_a_file_that_another_plugin_imports_may_be_named_too():
    write("plugin_inner.py", SOURCE.format(name="inner_faces"))
    outer = write("plugin_outer.py", "import plugin_inner")
    assert plugins.load_file(outer) == ("face source inner_faces",)
    assert plugins.load_file("plugin_inner.py") == ()


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("gone.py", None, "no plugin file 'gone.py'"),
        ("plugin_a.txt", "", "is not a plugin; expected a Python file"),
        ("plugin-b.py", "", "'plugin-b' is not a valid module name"),
        ("json.py", "", "or another module has it; rename the file"),
        ("plugin_c.py", "import facelet.faces", "registers nothing; expected a decorator"),
        ("plugin_d.py", "x = 1\nraise KeyError('oh')", "plugin_d.py cannot be loaded, line 2: KeyError: 'oh'"),
        ("plugin_e.py", "x = 1\ndef f(:\n", "cannot be loaded, line 2: SyntaxError: "),
        ("plugin_f.py", "import no_such_module", "line 1: ModuleNotFoundError: No module named 'no_such_module'"),
        ("plugin_g.py", "import sys\nsys.exit(3)", "line 2: SystemExit: 3"),
        ("plugin_h.py", SOURCE.format(name="toy"), "line 6: ValueError: face source 'toy' is registered twice"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_one_line(monkeypatch, capsys, name, text, says):
    if text is not None:
        write(name, text)
    with pytest.raises(FaceletError) as error:
        plugins.load_file(name)
    assert says in str(error.value)
    monkeypatch.setattr(sys, "argv", ["facelet", "faces", "toy", "--plugin", name])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    captured = capsys.readouterr()
    assert (ended.value.code, captured.out) == (2, "")
    assert "Traceback" not in captured.err


@pytest.mark.parametrize(
    "words",
    [
        ("run", "tsnet"), ("run", "--resume", "gone"), ("faces", "toy"), ("eval", "gone.onnx", "--faces", "toy"),
        ("bench", "gone.onnx"), ("card", "gone.onnx"),
    ],
)  # fmt: skip
def test_every_verb_with_sources_or_nets_takes_plugins_first_of_all(monkeypatch, capsys, words):
    monkeypatch.setattr(sys, "argv", ["facelet", *words, "--plugin", "a.py", "--plugin", "gone.py"])
    monkeypatch.setattr(plugins, "load_file", lambda path: ("net tiny",) if path == "a.py" else plugins.existing(path))
    with pytest.raises(SystemExit) as ended:
        cli.main()
    captured = capsys.readouterr()
    assert (ended.value.code, captured.out) == (2, "")
    assert captured.err.splitlines() == ["plugin a.py: net tiny", "error: no file or folder 'gone.py'"]


def installed(monkeypatch, *modules: str) -> None:
    points = [EntryPoint(module, module, plugins.GROUP) for module in modules]
    monkeypatch.setattr(plugins, "_installed_loaded", False)
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: points if group == plugins.GROUP else [])
    monkeypatch.syspath_prepend(".")


def test_installed_plugins_are_imported_when_a_name_is_unknown(monkeypatch):
    write("plugin_i.py", SOURCE.format(name="installed_faces"))
    installed(monkeypatch, "plugin_i")
    assert "toy" in SOURCES
    assert "plugin_i" not in sys.modules
    assert len(load("installed_faces")) == 30


def test_one_that_fails_is_named_where_its_name_was_missed(monkeypatch):
    write("plugin_j.py", "import no_such_module")
    write("plugin_k.py", SOURCE.format(name="other_faces"))
    installed(monkeypatch, "plugin_j", "plugin_k")
    assert len(load("other_faces")) == 30
    with pytest.raises(FaceletError, match=r"unknown face source 'its_faces'.*the plugin 'plugin_j' .*no_such_module"):
        load("its_faces")
    with pytest.raises(FaceletError, match=r"unknown net 'zzzz'.*a name from your own plugin file needs --plugin FILE"):
        NETS["zzzz"]


def test_a_recipe_cannot_bring_code():
    recipe = {"title": "x", "plugin": "evil.py", "steps": [{"do": "train", "as": "a", "net": "light"}]}
    with pytest.raises(FaceletError, match="plugin"):
        schema.check(recipe)
