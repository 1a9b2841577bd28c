"""Worker threads that decode, detect and crop, and share model runs between requests.

>>> engine = Engine(workers=2)
>>> engine.start()
>>> photo = await engine.analyze(analyzer, data)   # in the event loop
>>> engine.stop()                                  # finishes what was submitted

A worker prepares one job after another (decodes, detects, crops) and runs the models for all prepared jobs together: as soon as no
job waits, a batch is full, or the oldest prepared job has waited for ``window`` seconds. So a lone request never waits for
others, and no worker is idle while a batch fills.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import NamedTuple

from facelet.io import pixels
from facelet.runtime.analyzer import Analyzer
from facelet.runtime.face import Face, PreparedPhoto


class AnalyzedPhoto(NamedTuple):
    """Faces of a photo, largest first, its width and height, and the number of faces beyond the limit."""

    faces: list[Face]
    size: tuple[int, int]
    omitted: int = 0


@dataclass(eq=False)
class Job:
    """A photo or crop on its way through the engine.

    Attributes:
        analyzer: the models to run.
        prepare: decodes, detects and crops, in a worker.
        answer: the event loop's future; a cancelled one, whose client is gone or late, drops the job.
    """

    analyzer: Analyzer
    prepare: Callable[[], PreparedPhoto]
    answer: asyncio.Future[AnalyzedPhoto]
    prepared: PreparedPhoto = field(init=False)
    since: float = 0.0

    def deliver(self, outcome: AnalyzedPhoto | Exception) -> None:
        """Sets the answer; in the event loop."""
        if self.answer.done():
            return
        if isinstance(outcome, Exception):
            self.answer.set_exception(outcome)
        else:
            self.answer.set_result(outcome)


class Engine:
    """A pool of worker threads with shared model runs.

    Args:
        workers: number of threads, one for each processor.
        batch: most jobs in a model run.
        window: seconds that a prepared job waits at most while others are prepared.
        most_pixels: images with more are refused before they are decoded.
        most_faces: only this number of faces is analyzed in a photo, the largest.
        on_run: called in a worker with the number of jobs in each model run.
    """

    def __init__(
        self,
        workers: int = 1,
        batch: int = 64,
        window: float = 0.002,
        most_pixels: int = pixels.MAX_PIXELS,
        most_faces: int | None = None,
        on_run: Callable[[int], object] = lambda jobs: None,
    ) -> None:
        self.batch, self.window = batch, window
        self.most_pixels, self.most_faces = most_pixels, most_faces
        self._on_run = on_run
        self._waiting: SimpleQueue[Job | None] = SimpleQueue()
        self._prepared: list[Job] = []
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._work, name=f"facelet-{n}", daemon=True) for n in range(workers)]
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Starts the workers; call it in the event loop that will submit jobs."""
        self._loop = asyncio.get_running_loop()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finishes the submitted jobs and ends the workers; blocks until then."""
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            thread.join()

    @property
    def running(self) -> bool:
        """Whether all workers are alive."""
        return all(thread.is_alive() for thread in self._threads)

    @property
    def waiting(self) -> int:
        """Number of jobs that no worker has started."""
        return self._waiting.qsize()

    async def analyze(self, analyzer: Analyzer, data: bytes, cropped: bool = False) -> AnalyzedPhoto:
        """Analyzes an image file's bytes; with ``cropped`` the whole image is one face.

        Raises FaceletError for an unreadable image, and TooManyPixelsError.
        """

        def prepare() -> PreparedPhoto:
            image = pixels.decode(data, "the photo", self.most_pixels)
            return analyzer.prepare_crop(image) if cropped else analyzer.prepare(image, self.most_faces)

        assert self._loop is not None
        job = Job(analyzer, prepare, self._loop.create_future())
        self._waiting.put(job)
        return await job.answer

    def _work(self) -> None:
        more = True
        while more:
            try:
                job = self._waiting.get(timeout=self.window if self._prepared else None)
                more = job is not None
                if job is not None and not job.answer.cancelled():
                    self._prepare(job)
            except Empty:
                pass
            while jobs := self._due(everything=not more):
                self._predict(jobs)

    def _prepare(self, job: Job) -> None:
        try:
            job.prepared = job.prepare()
        except (
            Exception
        ) as error:  # an unreadable photo, or no memory: the answer of this job, not the end of the worker
            self._deliver([(job, error)])
            return
        job.since = time.monotonic()
        with self._lock:
            self._prepared.append(job)

    def _due(self, everything: bool) -> list[Job]:
        """Takes the jobs of the next run, or none while it is better to prepare more."""
        with self._lock:
            jobs = self._prepared[: self.batch]
            if not jobs:
                return []
            late = time.monotonic() - jobs[0].since >= self.window
            if everything or late or len(jobs) == self.batch or self._waiting.empty():
                del self._prepared[: self.batch]
                return jobs
            return []

    def _predict(self, jobs: Sequence[Job]) -> None:
        """Runs the models, once for all jobs that need the same ones."""
        groups: dict[Analyzer, list[Job]] = defaultdict(list)
        for job in jobs:
            if not job.answer.cancelled():
                groups[job.analyzer].append(job)
        for analyzer, group in groups.items():
            self._on_run(len(group))
            self._deliver(_outcomes(analyzer, group))

    def _deliver(self, outcomes: Sequence[tuple[Job, AnalyzedPhoto | Exception]]) -> None:
        """Hands outcomes to the event loop, which is woken once for all of them."""

        def deliver() -> None:
            for job, outcome in outcomes:
                job.deliver(outcome)

        assert self._loop is not None
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(deliver)


def _outcomes(analyzer: Analyzer, jobs: Sequence[Job]) -> list[tuple[Job, AnalyzedPhoto | Exception]]:
    """Predictions for each job; when the run fails, each job is tried alone, so that it cannot fail the others.

    A failing model is the server's fault: its error is no FaceletError, which would be the client's.
    """
    try:
        predicted = analyzer.predict([job.prepared for job in jobs])
    except Exception as error:
        if len(jobs) == 1:
            return [(jobs[0], RuntimeError(str(error)))]
        return [outcome for job in jobs for outcome in _outcomes(analyzer, [job])]
    return [
        (job, AnalyzedPhoto(faces, job.prepared.size, job.prepared.omitted))
        for job, faces in zip(jobs, predicted, strict=True)
    ]
