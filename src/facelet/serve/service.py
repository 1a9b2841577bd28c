"""The operations that all APIs offer; an API translates requests and answers, and nothing else.

>>> service = Service(Settings())
>>> photo = await service.analyze(data)
>>> photo.faces[0].expression

Every operation is admitted first: at most ``Settings.queue`` are under way, another raises ApiError 429. One that takes longer than
``Settings.seconds`` raises 504. A cancelled one drops its work.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from typing import TypeVar

from facelet.errors import FaceletError
from facelet.models import priors
from facelet.runtime.analyzer import Analyzer, find_model
from facelet.runtime.detector import SCORE, Detector
from facelet.runtime.model import Model, require_task
from facelet.runtime.people import subject
from facelet.runtime.people.enrolled import EnrolledPerson, NameInUseError, UnknownPersonError, checked_name
from facelet.runtime.people.gallery import Gallery
from facelet.runtime.people.results import Enrollment, Match
from facelet.runtime.people.storage.interface import NoGalleryError
from facelet.runtime.people.subject import Subject
from facelet.runtime.people.verify import Verification, compared
from facelet.serve import audit
from facelet.serve.audit import Actor
from facelet.serve.auth import open_keys
from facelet.serve.engine import AnalyzedPhoto, Engine
from facelet.serve.errors import ApiError, explained, log, overloaded
from facelet.serve.metrics import Metrics
from facelet.serve.settings import Settings

Result = TypeVar("Result")
_ADMITTED: ContextVar[bool] = ContextVar("_ADMITTED", default=False)
"""Whether the current request is admitted already."""


class Service:
    """Models, detector, gallery and keys, kept open.

    Attributes:
        settings: the options.
        keys: valid API keys.
        metrics: what ``/metrics`` shows.
        expression: model for expressions.
        identity: model for identities.

    Raises FaceletError when a model, the detector or the file of keys cannot be opened, and when there is no key although other
    machines can connect.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.keys = open_keys(settings.keys)
        if not self.keys.required and not settings.local:
            raise FaceletError(
                f"other machines can connect to {settings.host}, but there is no API key; make one: "
                "facelet serve --new-key NAME --scope read (or listen on 127.0.0.1)"
            )
        self.metrics = Metrics()
        score = SCORE if settings.min_score is None else settings.min_score
        self.detector = Detector(settings.detector, score, settings.detail, turns=settings.turns or "auto")
        # A worker per processor runs its batches alone: one thread each.
        self.expression = Model.load(find_model(settings.model), threads=1)
        self.identity = Model.load(subject.find_identity_model(settings.identity_model), threads=1)
        require_task(self.expression, "expression")
        require_task(self.identity, "identity")
        self._factors = priors.weights(self.expression.info, priors.parsed(settings.prior))
        self._analyzers = {
            (True, False): Analyzer(self.expression, self.detector),
            (False, True): Analyzer(self.identity, self.detector),
            (True, True): Analyzer(self.expression, self.detector, identity=self.identity),
        }
        self.gallery = Gallery(
            settings.gallery,
            self.identity,
            self.detector,
            settings.threshold,
            key=settings.gallery_key,
            on_expired=lambda faces: audit.record("expire", audit.NOBODY, faces=faces),
        )
        self.threshold = subject.threshold_of(self.identity, settings.threshold)
        if self._filled():
            self.gallery.ready()  # a gallery of another model is refused now, not at the first request
        self.engine = Engine(
            settings.workers,
            settings.batch,
            settings.batch_ms / 1000,
            settings.pixels,
            settings.faces,
            on_run=self.metrics.jobs.observe,
        )
        self.metrics.waiting.set_function(lambda: self.engine.waiting)
        self.metrics.under_way.set_function(lambda: self._under_way)
        self._under_way = 0

    @property
    def full(self) -> bool:
        """Whether another request would be refused."""
        return self._under_way >= self.settings.queue

    def start(self) -> None:
        """Starts the workers, in the event loop of the requests."""
        self.engine.start()

    def stop(self) -> None:
        """Finishes the accepted work and closes the gallery."""
        self.engine.stop()
        self.gallery.close()

    async def analyze(
        self,
        data: bytes,
        *,
        expression: bool = True,
        identity: bool = False,
        cropped: bool = False,
        prior: str | None = None,
    ) -> AnalyzedPhoto:
        """Faces of a photo with expressions, identity vectors or both; with ``cropped`` the image is one face.

        ``prior`` replaces ``Settings.prior``. Raises ApiError 422 for an unreadable image or a wrong prior, and 413 for an image
        with too many pixels.
        """
        factors = self._factors
        if prior is not None:
            with explained(422, "invalid_prior"):
                factors = priors.weights(self.expression.info, priors.parsed(prior))
        async with self.admitted():
            photo = await self._analyzed(data, expression, identity, cropped)
            return photo._replace(faces=[face.reweighted(factors) for face in photo.faces])

    async def verify(
        self, a: bytes, b: bytes, *, threshold: float | None = None, largest: bool = False
    ) -> Verification:
        """Compares the faces of two photos. Raises ApiError as ``analyze``, and 422 for no face or several faces."""
        async with self.admitted():
            photos = await asyncio.gather(*(self._analyzed(photo, False, True) for photo in (a, b)))
            first, second = (_main_face(photo, largest, name) for photo, name in zip(photos, "ab", strict=True))
            return compared(first, second, self.threshold if threshold is None else threshold)

    async def identify(self, data: bytes, *, cropped: bool = False) -> tuple[AnalyzedPhoto, list[Match]]:
        """Matches the faces of a photo with the gallery; in an empty gallery everybody is unknown."""
        async with self.admitted():
            photo = await self._analyzed(data, False, True, cropped)
            return photo, await self._in_gallery(self._matches, photo)

    async def enroll(
        self, name: str, photos: Sequence[bytes], actor: Actor, *, largest: bool = False, small: bool = False
    ) -> Enrollment:
        """Adds the face of each photo under a name, all or none. Raises ApiError 422 for a wrong name or photo."""
        with explained(422, "invalid_name"):
            name = checked_name(name)
        if not 0 < len(photos) <= self.settings.photos:
            raise ApiError(422, "invalid", f"{len(photos)} photos; expected 1 to {self.settings.photos}")
        async with self.admitted():
            analyzed = await asyncio.gather(*(self._analyzed(photo, False, True) for photo in photos))
            names = ["the photo"] if len(photos) == 1 else [f"photo {number}" for number in range(1, 1 + len(photos))]
            subjects = [_main_face(photo, largest, title) for photo, title in zip(analyzed, names, strict=True)]
            if not small:
                with explained(422, "small_face"):
                    subject.require_size(subjects, self.identity.info)
            return await self._in_gallery(self._enroll, name, subjects, actor)

    async def people(self) -> list[EnrolledPerson]:
        """All enrolled people, sorted by name."""
        async with self.admitted():
            return await self._in_gallery(self._people)

    async def rename(self, name: str, new: str, actor: Actor) -> int:
        """Renames a person; returns the number of faces. Raises ApiError 404 for an unknown name and 409 for a used one."""
        async with self.admitted():
            return await self._in_gallery(self._rename, name, new, actor)

    async def remove(self, name: str, actor: Actor) -> int:
        """Deletes a person permanently; returns the number of faces. Raises ApiError 404 for an unknown name."""
        async with self.admitted():
            return await self._in_gallery(self._remove, name, actor)

    async def add(self, name: str, subjects: Sequence[Subject], actor: Actor) -> Enrollment:
        """Enrolls faces of any size that were analyzed before; ``name`` is a checked name."""
        async with self.admitted():
            return await self._in_gallery(self._enroll, name, subjects, actor)

    async def with_gallery(self, work: Callable[[Gallery], Result]) -> Result | None:
        """Runs blocking ``work`` with the gallery, and returns its result; None while nobody is enrolled."""

        def run() -> Result | None:
            if not self._filled():
                return None
            self.gallery.ready()
            return work(self.gallery)

        async with self.admitted():
            return await self._in_gallery(run)

    @asynccontextmanager
    async def admitted(self) -> AsyncIterator[None]:
        """Admits a request that consists of several operations, once for all of them; they share ``Settings.seconds``.

        Raises ApiError 429 and 504.
        """
        if _ADMITTED.get():
            yield
            return
        if self.full:
            raise overloaded("too many requests are under way; try again")
        self._under_way += 1
        token = _ADMITTED.set(True)
        try:
            async with asyncio.timeout(self.settings.seconds):
                yield
        except TimeoutError:
            raise ApiError(504, "timeout", f"not finished within {self.settings.seconds:g} seconds") from None
        finally:
            _ADMITTED.reset(token)
            self._under_way -= 1

    async def _analyzed(self, data: bytes, expression: bool, identity: bool, cropped: bool = False) -> AnalyzedPhoto:
        with explained(422, "unreadable_image"):
            photo = await self.engine.analyze(self._analyzers[expression, identity], data, cropped)
        self.metrics.faces.inc(len(photo.faces))
        return photo

    async def _in_gallery(self, work: Callable[..., Result], *arguments: object) -> Result:
        """Runs blocking work with the gallery in a thread. Its path and state are for the server's log, not for clients."""
        try:
            return await asyncio.to_thread(work, *arguments)
        except NameInUseError as error:
            raise ApiError(409, "name_in_use", f"{error.name!r} is already enrolled") from None
        except UnknownPersonError as error:
            raise ApiError(404, "unknown_person", f"nobody is enrolled as {error.name!r}") from None
        except FaceletError as error:
            log.error("%s", error)
            raise ApiError(
                503, "gallery_unavailable", "the gallery cannot be used; the server's log says why"
            ) from None

    def _matches(self, photo: AnalyzedPhoto) -> list[Match]:
        if not self._filled():
            return [Match(face, None, -1.0) for face in photo.faces]
        self.gallery.ready()
        return self.gallery.matches(photo.faces)

    def _enroll(self, name: str, subjects: Sequence[Subject], actor: Actor) -> Enrollment:
        result = self.gallery.add(name, subjects)
        audit.record("enroll", actor, name=result.name, faces=result.faces)
        return result

    def _people(self) -> list[EnrolledPerson]:
        with suppress(NoGalleryError):
            return self.gallery.people()
        return []

    def _rename(self, name: str, new: str, actor: Actor) -> int:
        with explained(422, "invalid_name"):
            new = checked_name(new)
            name = checked_name(name)
        with _empty_at_first(name):
            faces = self.gallery.rename(name, new)
        audit.record("rename", actor, name=name, new=new, faces=faces)
        return faces

    def _remove(self, name: str, actor: Actor) -> int:
        with explained(422, "invalid_name"):
            name = checked_name(name)
        with _empty_at_first(name):
            faces = self.gallery.remove(name)[name]
        audit.record("delete", actor, name=name, faces=faces)
        return faces

    def _filled(self) -> bool:
        """Whether anybody is enrolled."""
        with suppress(NoGalleryError):
            return self.gallery.model is not None
        return False


@contextmanager
def _empty_at_first(name: str) -> Iterator[None]:
    """Before the first enrollment there is no gallery, and so nobody of this name."""
    try:
        yield
    except NoGalleryError as error:
        raise UnknownPersonError(name, error) from None


def _main_face(photo: AnalyzedPhoto, largest: bool, name: str) -> Subject:
    with explained(422, "several_faces" if photo.faces else "no_face"):
        return subject.main_face(photo.faces, largest, name)
