"""Worker threads and shared model runs: same answers as one by one, batches, dropped work, errors, an orderly end."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from photo_fixtures import faces_in_a_row, tiny_identity, tiny_model

from facelet.errors import FaceletError, TooManyPixelsError
from facelet.faces.cartoon.golden import golden_faces
from facelet.runtime.analyzer import Analyzer
from facelet.runtime.model import Model
from facelet.serve.engine import Engine


@pytest.fixture
def analyzer(tmp_path) -> Analyzer:
    return Analyzer(tiny_model(tmp_path / "tiny.onnx"), faces_in_a_row, 1, identity=tiny_identity(tmp_path / "id.onnx"))


class Gate:
    """A detector that waits until it is opened, to fill the queue behind it."""

    def __init__(self) -> None:
        self.entered, self.opened = threading.Event(), threading.Event()

    def __call__(self, photo):
        self.entered.set()
        assert self.opened.wait(10)
        return faces_in_a_row(photo)


def run(engine: Engine, work):
    """Runs ``work()``, a coroutine, with the engine, in a new event loop."""

    async def main():
        engine.start()
        try:
            return await work()
        finally:
            engine.stop()
            await asyncio.sleep(0)  # answers of the last batch

    return asyncio.run(main())


def photos(file_bytes, count: int) -> list[bytes]:
    shades = np.linspace(20, 230, count).astype(np.uint8)
    return [file_bytes(np.full((24, 24 * (1 + n % 3), 3), shade, np.uint8)) for n, shade in enumerate(shades)]


def test_answers_are_those_of_the_analyzer(analyzer, file_bytes):
    files = photos(file_bytes, 30)
    engine = Engine(workers=2)

    async def work():
        return await asyncio.gather(*(engine.analyze(analyzer, data) for data in files))

    for data, photo in zip(files, run(engine, work), strict=True):
        alone = analyzer.analyze(data)
        assert [face.to_json() for face in photo.faces] == [face.to_json() for face in alone]
        assert photo.size == (24 * len(alone), 24)


def test_waiting_jobs_share_runs(analyzer, file_bytes):
    sizes, gate, files = [], Gate(), photos(file_bytes, 20)
    first = Analyzer(analyzer.model, gate)
    engine = Engine(workers=1, batch=16, window=10.0, on_run=sizes.append)

    async def work():
        held = asyncio.ensure_future(engine.analyze(first, files[0]))
        await asyncio.to_thread(gate.entered.wait, 10)
        others = [asyncio.ensure_future(engine.analyze(analyzer, data, cropped=True)) for data in files]
        await asyncio.sleep(0)
        assert engine.waiting == 20
        gate.opened.set()
        return await asyncio.gather(held, *others)

    assert len(run(engine, work)) == 21
    assert sorted(sizes) == [1, 5, 15], "16 at a time: one of the gate's analyzer with 15, then the other 5"


def test_a_prepared_job_does_not_wait_longer_than_the_window(analyzer, file_bytes):
    sizes, files = [], photos(file_bytes, 12)
    engine = Engine(workers=1, window=0.0, on_run=sizes.append)

    async def work():
        return await asyncio.gather(*(engine.analyze(analyzer, data) for data in files))

    run(engine, work)
    assert sizes == [1] * 12


def test_unreadable_and_large_images_fail_alone(analyzer, file_bytes):
    good = file_bytes(np.full((24, 24, 3), 200, np.uint8))
    engine = Engine(workers=1, most_pixels=1000)

    async def work():
        jobs = (b"no image", good, file_bytes(np.zeros((40, 40, 3), np.uint8)), good[:60], b"")
        return await asyncio.gather(*(engine.analyze(analyzer, data) for data in jobs), return_exceptions=True)

    broken, whole, large, cut, empty = run(engine, work)
    assert whole.faces[0].expression == "bright"
    assert isinstance(large, TooManyPixelsError)
    for error in (broken, cut, empty):
        assert isinstance(error, FaceletError)
        assert str(error).startswith("the photo: ")


def test_the_number_of_faces_is_bounded(analyzer, file_bytes):
    engine = Engine(workers=1, most_faces=2)
    row = file_bytes(np.full((24, 24 * 5, 3), 200, np.uint8))

    async def work():
        return await engine.analyze(analyzer, row)

    photo = run(engine, work)
    assert (len(photo.faces), photo.omitted) == (2, 3)


def test_a_failing_run_is_tried_one_by_one(analyzer, file_bytes, monkeypatch):
    gate, files, predict = Gate(), photos(file_bytes, 3), Analyzer.predict

    def fragile(self, prepared):
        if len(prepared) > 1 or prepared[0].size == (48, 24):
            raise FaceletError("returned NaN")
        return predict(self, prepared)

    monkeypatch.setattr(Analyzer, "predict", fragile)
    engine = Engine(workers=1, window=10.0)

    async def work():
        held = asyncio.ensure_future(engine.analyze(Analyzer(analyzer.model, gate), files[0]))
        await asyncio.to_thread(gate.entered.wait, 10)
        others = [asyncio.ensure_future(engine.analyze(analyzer, data)) for data in files]
        await asyncio.sleep(0)
        gate.opened.set()
        return await asyncio.gather(held, *others, return_exceptions=True)

    _, first, second, third = run(engine, work)
    assert len(first.faces) == 1
    assert str(second) == "returned NaN"
    assert len(third.faces) == 3


def test_work_for_nobody_is_dropped(analyzer, file_bytes):
    seen, gate, files = [], Gate(), photos(file_bytes, 2)

    def watching(photo):
        seen.append(photo.shape)
        return faces_in_a_row(photo)

    engine = Engine(workers=1)

    async def work():
        held = asyncio.ensure_future(engine.analyze(Analyzer(analyzer.model, gate), files[0]))
        await asyncio.to_thread(gate.entered.wait, 10)
        dropped = asyncio.ensure_future(engine.analyze(Analyzer(analyzer.model, watching), files[1]))
        await asyncio.sleep(0)
        dropped.cancel()
        await asyncio.sleep(0)
        gate.opened.set()
        return await held

    assert len(run(engine, work).faces) == 1
    assert seen == []


def test_stopping_finishes_what_was_submitted(analyzer, file_bytes):
    engine, files = Engine(workers=2), photos(file_bytes, 40)

    async def main():
        engine.start()
        assert engine.running
        jobs = [asyncio.ensure_future(engine.analyze(analyzer, data)) for data in files]
        await asyncio.sleep(0)
        await asyncio.to_thread(engine.stop)
        assert not engine.running
        return await asyncio.wait_for(asyncio.gather(*jobs), 5)

    assert len(asyncio.run(main())) == 40


def test_jobs_of_many_threads_and_loops_are_not_mixed_up(analyzer, file_bytes):
    """Two engines at once share the models."""

    def one(shade: int) -> set[str]:
        data = file_bytes(np.full((24, 24, 3), shade, np.uint8))
        engine = Engine(workers=2)

        async def work():
            return await asyncio.gather(*(engine.analyze(analyzer, data) for _ in range(50)))

        return {photo.faces[0].expression for photo in run(engine, work)}

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(one, (20, 240))) == [{"dark"}, {"bright"}]


@pytest.mark.parametrize("name", ["expression", "identity"])
def test_the_bundled_int8_models_answer_the_same_in_batches(name):
    model, faces = Model.load(name, threads=1), golden_faces(Model.load(name).info.input.channels)
    crops = list(np.concatenate([faces] * 5))[:21]
    together = model.logits(crops)
    alone = np.concatenate([model.logits([crop]) for crop in crops])
    assert np.abs(together - alone).max() <= 1e-5 * np.abs(alone).max()
