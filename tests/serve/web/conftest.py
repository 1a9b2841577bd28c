"""For tests of the page: its scripts in node, a built site on a server of this machine, and headless Chromium."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from page_helpers import serving
from photo_fixtures import *  # noqa: F403

from facelet.errors import FaceletError
from facelet.serve.web import onnxruntime_web, site

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-component-update"]
READ = """
const bytes = ({u8, shape}) => Object.assign(Uint8Array.from(Buffer.from(u8, "base64")), {shape});
let text = "";
for await (const part of process.stdin) text += part;
const given = JSON.parse(text, (_, value) => (value?.u8 === undefined ? value : bytes(value)));
const image = data => ({data, height: data.shape[0], width: data.shape[1], channels: data.shape[2]});
const answer = value => console.log(JSON.stringify(value, (_, each) => (ArrayBuffer.isView(each) ? Array.from(each) : each)));
"""


def _plain(value):
    if isinstance(value, np.ndarray):
        return {"u8": base64.b64encode(value.tobytes()).decode(), "shape": value.shape}
    return {"u8": base64.b64encode(value).decode(), "shape": [len(value)]} if isinstance(value, bytes) else str(value)


@pytest.fixture(scope="session")
def javascript():
    """``javascript({"image": ["even"]}, "answer(even(given))", 2.5)`` runs a script with names imported from js/runtime.

    ``given`` has the JSON of the last argument, with uint8 arrays and bytes as Uint8Array; ``answer`` returns a value.
    """
    if not shutil.which("node"):
        pytest.skip("node is not installed")

    def run(names: dict[str, list[str]], script: str, given=None):
        folder = (site.PAGE / "js" / "runtime").as_uri()
        imports = "".join(
            f'import {{{", ".join(each)}}} from "{folder}/{module}.js";\n' for module, each in names.items()
        )
        command = ["node", "--input-type=module", "--eval", imports + READ + script]
        done = subprocess.run(
            command, input=json.dumps(given, default=_plain), capture_output=True, text=True, check=False
        )
        assert not done.returncode, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture(scope="session")
def built(yunet, tmp_path_factory) -> Path:
    """A site with the bundled models, or a skip that says which part is missing."""
    folder = tmp_path_factory.mktemp("site")
    try:
        site.build(folder, ["expression", "expression-tiny"], detector_file=yunet)
    except FaceletError as error:
        pytest.skip(str(error))
    return folder


@pytest.fixture(scope="session")
def served(built):
    with serving(built) as server:
        yield server


@pytest.fixture(scope="session")
def chromium():
    """``chromium("--flag")`` starts a headless browser; or a skip that says what is missing."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: pip install playwright"
    )
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not executable:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        yield lambda *flags: driver.chromium.launch(executable_path=executable, args=[*FLAGS, *flags])


@pytest.fixture(scope="session")
def browser(chromium):
    started = chromium()
    yield started
    started.close()


RECORD = """
window.results = [];
document.addEventListener("facelet-result", ({detail}) => window.results.push(JSON.parse(JSON.stringify({
  ...detail, faces: detail.faces.map(({seen, ...face}) => ({...face, seen: Array.from(seen.data)}))}))));
"""


def open_page(context, url: str):
    """The page in a new tab, ready: its self-test has ended."""
    page = context.new_page()
    page.add_init_script(RECORD)
    page.goto(url)
    page.wait_for_selector("#status[data-kind]:not([data-kind=busy])", timeout=120_000)
    return page


@pytest.fixture
def opened(browser, served):
    """``page, requests = opened()`` is a new page, ready; ``requests`` collects the URLs of all its requests."""
    contexts = []

    def start(url: str = "", **options):
        contexts.append(browser.new_context(**options))
        requests: list[str] = []
        contexts[-1].on("request", lambda request: requests.append(request.url))
        return open_page(contexts[-1], url or served.url), requests

    yield start
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def one_page(browser, served):
    context = browser.new_context()
    yield open_page(context, served.url)
    context.close()


@pytest.fixture
def shared(one_page):
    """One ready page, without results, for all tests that only give it photos: loading takes seconds."""
    one_page.evaluate("() => { results.length = 0; problem.hidden = true; }")
    return one_page


@pytest.fixture
def fake_runtime(tmp_path, monkeypatch) -> Path:
    """A folder with the names of ONNX Runtime's files, which is found in place of the real ones."""
    folder = tmp_path / "runtime"
    folder.mkdir()
    for name in onnxruntime_web.FILES:
        (folder / name).write_bytes(name.encode())
    monkeypatch.setenv(onnxruntime_web.VARIABLE, str(folder))
    return folder
