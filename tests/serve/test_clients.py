"""CompreFace's own clients, unchanged, against a running service.

FACELET_CLIENTS names a folder with ``pip install --target FOLDER compreface-sdk`` and ``npm install --prefix FOLDER
@exadel/compreface-js-sdk``; without it these tests are skipped.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from facelet.serve.app import create_app
from facelet.serve.server import listening

KEY = str(uuid.UUID(int=0x1234))
"""CompreFace's keys are UUIDs."""


@pytest.fixture
def clients() -> Path:
    folder = os.environ.get("FACELET_CLIENTS", "")
    if not folder:
        pytest.skip("FACELET_CLIENTS names no folder with CompreFace's clients")
    return Path(folder)


@pytest.fixture
def port(settings, monkeypatch) -> Iterator[int]:
    """Of a running service, whose key is one of CompreFace's."""
    monkeypatch.setenv("FACELET_API_KEY", KEY)
    app = create_app(settings)
    with listening("127.0.0.1", 0) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="on"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join()


@pytest.fixture
def photos(studio) -> dict[str, str]:
    """Paths of photos of Anna, of Bo with Anna, and of nobody."""
    return {
        name: str(studio.folder / studio.photo(f"{name}.png", *people))
        for name, people in {"anna": (1,), "group": (2, 1), "black": ()}.items()
    }


def test_the_python_sdk(clients, port, photos, monkeypatch):
    monkeypatch.syspath_prepend(clients)
    compreface = pytest.importorskip("compreface", reason="no compreface-sdk in FACELET_CLIENTS")
    from compreface.collections import FaceCollection

    options = {"limit": 0, "det_prob_threshold": 0.8, "prediction_count": 1, "status": "true"}
    service = compreface.CompreFace("http://127.0.0.1", str(port), options)
    recognition = service.init_face_recognition(KEY)
    faces: FaceCollection = recognition.get_face_collection()
    subjects = recognition.get_subjects()

    assert subjects.add("Anna") == {"subject": "Anna"}
    added = faces.add(photos["anna"], "Anna")
    assert added["subject"] == "Anna"
    assert faces.list()["faces"] == [added]
    assert subjects.list() == {"subjects": ["Anna"]}

    recognized = recognition.recognize(photos["group"], {"face_plugins": "age,landmarks,calculator", "limit": 2})
    similarities = [face["subjects"][0]["similarity"] for face in recognized["result"]]
    assert [similarity >= 0.5 for similarity in similarities] == [False, True]
    assert len(recognized["result"][0]["landmarks"]) == 5
    assert recognition.recognize(photos["black"])["code"] == 28

    detected = service.init_face_detection(KEY).detect(Path(photos["group"]).read_bytes())
    assert len(detected["result"]) == 2
    assert detected["plugins_versions"]["detector"] == "facelet.YuNet"
    compared = service.init_face_verification(KEY).verify(photos["anna"], photos["group"])
    assert [match["similarity"] >= 0.5 for match in compared["result"][0]["face_matches"]] == [False, True]
    assert faces.verify(photos["anna"], added["image_id"])["result"][0]["similarity"] > 0.99

    assert subjects.update("Anna", "Anna B") == {"updated": True}
    (renamed,) = faces.list()["faces"]
    assert faces.delete(renamed["image_id"]) == {"image_id": renamed["image_id"], "subject": "Anna B"}
    faces.add(photos["anna"], "Anna")
    assert faces.delete_all("Anna") == {"deleted": 1}
    assert subjects.delete("Anna")["code"] == 42
    assert subjects.delete_all() == {"deleted": 0}
    wrong = service.init_face_recognition(str(uuid.uuid4()))
    assert wrong.recognize(photos["anna"])["message"] == "unknown API key"


def test_the_javascript_sdk(clients, port, photos):
    sdk = clients / "node_modules" / "@exadel" / "compreface-js-sdk" / "index.js"
    node = shutil.which("node")
    if node is None or not sdk.exists():
        pytest.skip("no node, or no @exadel/compreface-js-sdk in FACELET_CLIENTS")
    script = Path(__file__).with_name("compreface_client.mjs")
    # The SDK takes a path only when it is relative, and anna.png for the name of a host.
    done = subprocess.run(
        [node, script, sdk, str(port), KEY, "./anna.png", "./group.png"],
        cwd=Path(photos["anna"]).parent,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    assert answers["added"]["subject"] == "Anna"
    assert answers["faces"]["faces"] == [answers["added"]]
    similarities = [face["subjects"][0]["similarity"] for face in answers["recognized"]["result"]]
    assert [similarity >= 0.5 for similarity in similarities] == [False, True]
    assert answers["verified"]["result"][0]["similarity"] > 0.99
    assert len(answers["detected"]["result"]) == 1
    assert answers["compared"]["result"][0]["face_matches"][0]["similarity"] > 0.99
    assert (answers["renamed"], answers["subjects"]) == ({"updated": True}, {"subjects": ["Anne"]})
    assert answers["removed"] == {"deleted": 1}
    assert (answers["error"]["status"], answers["error"]["code"]) == (400, 28)
