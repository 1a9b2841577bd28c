"""A JSON line for each change of the gallery."""

from __future__ import annotations

import json

import pytest

from facelet.errors import FaceletError
from facelet.serve import audit
from facelet.serve.audit import Actor


@pytest.fixture(autouse=True)
def _closed():
    yield
    audit.open_log()


def test_lines(tmp_path):
    audit.open_log(tmp_path / "audit.jsonl")
    audit.record("enroll", Actor("phone", "10.0.0.7"), name='A "quoted"\nname', faces=2)
    audit.record("delete", Actor("door", ""), name="Zoë", faces=1)
    first, second = (json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines())
    assert first.pop("time").endswith("+00:00")
    assert first == {"act": "enroll", "key": "phone", "client": "10.0.0.7", "name": 'A "quoted"\nname', "faces": 2}
    assert second["name"] == "Zoë"


def test_only_its_owner_reads_it(tmp_path):
    audit.open_log(tmp_path / "audit.jsonl")
    assert (tmp_path / "audit.jsonl").stat().st_mode & 0o777 == 0o600


def test_standard_error(capsys):
    audit.open_log()
    audit.record("delete", Actor("door", ""), name="Anna")
    assert json.loads(capsys.readouterr().err)["name"] == "Anna"


def test_a_file_that_cannot_be_written(tmp_path):
    with pytest.raises(FaceletError, match="cannot write the audit to"):
        audit.open_log(tmp_path / "nowhere" / "audit.jsonl")
