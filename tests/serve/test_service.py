"""Admission, deadlines, dropped work; what is refused at the start."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from photo_fixtures import faces_in_a_row, tiny_identity

from facelet.errors import FaceletError
from facelet.runtime.analyzer import Analyzer
from facelet.runtime.media import photos
from facelet.runtime.media.predictions import predictions
from facelet.runtime.people.gallery import Gallery
from facelet.serve.audit import Actor
from facelet.serve.errors import ApiError
from facelet.serve.service import Service
from facelet.serve.settings import Settings

ACTOR = Actor("phone", "10.0.0.7")


@pytest.fixture
def held(monkeypatch):
    """The detector waits until this is set."""
    opened = threading.Event()

    def detector(photo):
        assert opened.wait(10)
        return faces_in_a_row(photo)

    monkeypatch.setattr("facelet.serve.service.Detector", lambda *arguments, **options: detector)
    yield opened
    opened.set()


def run(service: Service, work, opened: threading.Event | None = None):
    async def main():
        service.start()
        try:
            return await work()
        finally:
            if opened:
                opened.set()
            await asyncio.to_thread(service.stop)

    return asyncio.run(main())


@pytest.fixture
def photo(file_bytes) -> bytes:
    return file_bytes(np.full((24, 24, 3), 200, np.uint8))


def test_a_full_queue_is_429_and_nothing_else_is_lost(settings, held, photo):
    service = Service(settings.model_copy(update={"queue": 8}))

    async def work():
        jobs = [asyncio.ensure_future(service.analyze(photo)) for _ in range(20)]
        await asyncio.sleep(0.05)
        held.set()
        return await asyncio.gather(*jobs, return_exceptions=True)

    answers = run(service, work, held)
    refused = [answer for answer in answers if isinstance(answer, ApiError)]
    assert len(refused) == 12
    assert {(error.status_code, error.code, error.headers["Retry-After"]) for error in refused} == {
        (429, "overloaded", "1")
    }
    assert all(answer.faces[0].expression == "bright" for answer in answers if not isinstance(answer, ApiError))


def test_what_takes_too_long_is_504_and_frees_its_place(settings, held, photo):
    service = Service(settings.model_copy(update={"seconds": 0.1, "queue": 1}))

    async def work():
        with pytest.raises(ApiError) as caught:
            await service.analyze(photo)
        assert (caught.value.status_code, caught.value.code) == (504, "timeout")
        held.set()
        return await service.analyze(photo)

    assert len(run(service, work, held).faces) == 1


def test_cancelled_work_frees_its_place(settings, held, photo):
    service = Service(settings.model_copy(update={"queue": 1}))

    async def work():
        job = asyncio.ensure_future(service.analyze(photo))
        await asyncio.sleep(0.02)
        job.cancel()
        await asyncio.wait([job])
        held.set()
        return await service.analyze(photo)

    assert len(run(service, work, held).faces) == 1


def test_two_requests_enroll_at_once(settings, studio, file_bytes):
    service = Service(settings)
    shots = [file_bytes(studio.shot(person)) for person in range(10)]

    async def work():
        enrolled = await asyncio.gather(*(service.enroll(f"person {n}", [shot], ACTOR) for n, shot in enumerate(shots)))
        assert [result.faces for result in enrolled] == [1] * 10
        return await service.people()

    assert len(run(service, work)) == 10


def test_operations_of_an_admitted_request_are_not_refused(settings, held, photo):
    service = Service(settings.model_copy(update={"queue": 1}))

    async def several():
        async with service.admitted():
            return [await service.analyze(photo) for _ in range(3)]

    async def work():
        asking = asyncio.create_task(several())
        await asyncio.sleep(0.01)
        assert service.full
        with pytest.raises(ApiError) as caught:
            await service.people()
        assert caught.value.status_code == 429
        held.set()
        assert len(await asking) == 3
        assert not service.full
        assert await service.people() == []

    run(service, work, held)


def test_operations_of_an_admitted_request_share_its_time(settings, held, photo):
    service = Service(settings.model_copy(update={"seconds": 0.5}))

    async def several():
        async with service.admitted():
            with suppress(ApiError):
                await service.analyze(photo)
            await service.analyze(photo)

    async def work():
        start = time.monotonic()
        with pytest.raises(ApiError) as caught:
            await several()
        assert caught.value.status_code == 504
        assert time.monotonic() - start < 0.95  # two deadlines would take 1 second
        assert not service.full

    run(service, work, held)


def test_deletion_by_time_is_audited(settings, studio, file_bytes, lines, monkeypatch):
    service = Service(settings)
    shots = [file_bytes(studio.shot(person)) for person in (1, 2)]

    async def work():
        await service.enroll("Anna", shots, ACTOR)
        later = datetime.now(UTC) + timedelta(hours=2)
        monkeypatch.setattr(service.gallery._open(), "_clock", lambda: later)
        service.gallery.set_retention(timedelta(hours=1))
        assert await service.people() == []

    run(service, work)
    assert [(line["act"], line["key"], line["faces"]) for line in lines] == [("enroll", "phone", 2), ("expire", "", 2)]


def test_nobody_is_known_before_the_first_enrollment(settings):
    service = Service(settings)

    async def work():
        for operation in (service.remove("Anna", ACTOR), service.rename("Anna", "Bo", ACTOR)):
            with pytest.raises(ApiError, match="nobody is enrolled as 'Anna'") as caught:
                await operation
            assert caught.value.status_code == 404

    run(service, work)


def test_other_machines_need_keys(settings):
    with pytest.raises(FaceletError, match=r"facelet serve --new-key NAME --scope read"):
        Service(settings.model_copy(update={"host": "0.0.0.0"}))


def test_a_gallery_of_another_model_is_refused_at_the_start(settings, studio, tmp_path):
    other = tiny_identity(tmp_path / "other.onnx", seed=5)
    with Gallery(model=other, detector=faces_in_a_row) as gallery:
        gallery.enroll("Anna", studio.shot(1))
    with pytest.raises(FaceletError, match=r"was made with other\.onnx"):
        Service(settings)


def test_models_of_the_wrong_task(settings):
    with pytest.raises(FaceletError, match="expected a model for expression"):
        Service(settings.model_copy(update={"model": str(settings.identity_model) or "identity"}))
    with pytest.raises(FaceletError, match="expected a model for identity"):
        Service(settings.model_copy(update={"identity_model": settings.model}))


@pytest.mark.slow
def test_real_photos_at_once_are_answered_as_by_predict(photos_folder, yunet, tmp_path, monkeypatch):
    """With the bundled models, whose int8 sums do not depend on what else is in a batch."""
    monkeypatch.delenv("FACELET_MODEL", raising=False)
    monkeypatch.setenv("FACELET_YUNET", str(yunet))
    files = photos.find([photos_folder])[:12]
    service = Service(Settings(gallery=str(tmp_path / "g.db"), threads=2))

    async def work():
        return await asyncio.gather(*(service.analyze(file.read_bytes()) for file in files))

    for result, photo in zip(predictions(Analyzer(), files), run(service, work), strict=True):
        assert [face.to_json() for face in photo.faces] == [face.to_json() for face in result.faces]
        assert photo.size == result.size
