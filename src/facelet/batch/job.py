"""The job of `facelet predict SOURCE --out DIR`: all photos and videos of a source as Parquet files, in one process or on Ray.

>>> summary = run(["s3://bucket/photos"], "s3://bucket/faces", FacePredictor("student-int8.onnx"), ray="auto")
>>> summary.faces, summary.broken, summary.done_before

A second run makes only the parts that are missing: after a kill, those that were not written; later, those of new and changed
photos. Parts of photos that are gone or have changed are deleted, so the folder always holds the answers for its source.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from facelet.batch import sources
from facelet.batch.folder import OutputFolder
from facelet.batch.parts import PREFIX, UNREAD, Part, PartResult, PartWriter, plan
from facelet.batch.predictor import FacePredictor
from facelet.errors import FaceletError
from facelet.installation import install_command
from facelet.runtime.media.video import require_every

EXTRA = "ray"
EACH = 100
"""Photos in a part: about two seconds of work, so that the last worker to end is not far behind the first."""

Progress = Callable[[Iterable[PartResult], int, int], Iterable[PartResult]]
"""Shows progress: (results, number of files, number of files that are done) -> results."""


@dataclass(frozen=True)
class JobSummary:
    """What a job did.

    Attributes:
        files: photos and videos of the source.
        done_before: of these, in parts of an earlier run.
        faces: found in this run.
        broken: files of this run that are no readable photo or video.
        unread: files of this run whose bytes could not be read; the next run tries again.
        parts: number of Parquet files of the source.
        removed: number of Parquet files that were out of date.
        seconds: time of this run.
        hosts: names of the machines that worked.
        error: the first error of a file, or empty.
        passed_over: names of files in the places that are neither photos nor videos.
    """

    files: int
    done_before: int
    faces: int
    broken: int
    unread: int
    parts: int
    removed: int
    seconds: float
    hosts: tuple[str, ...]
    error: str
    passed_over: tuple[str, ...] = ()


def run(
    places: Sequence[str],
    out: str,
    predictor: FacePredictor,
    *,
    ray: str | None = None,
    workers: int = 0,
    every: float = 0.0,
    each: int = EACH,
    progress: Progress = lambda results, files, done: results,
) -> JobSummary:
    """Predicts the faces of all photos and videos of some places.

    Args:
        places: files, folders, globs, and folders in object stores.
        out: folder for the Parquet files, by path or in an object store.
        predictor: models and settings.
        ray: address of a Ray cluster; empty: the running one, else one started on this machine; None: no Ray, one process.
        workers: number of Ray's workers, 0 for one per CPU of the cluster.
        every: seconds between analyzed frames of a video; 0 analyzes every frame.
        each: mean number of photos in a part.
        progress: shows progress.

    Raises FaceletError when nothing is found, when the folder holds parts of another source or model, and when a worker fails.
    """
    require_packages(ray is not None)
    require_every(every)
    for name, value, least in (("--workers", workers, 0), ("photos in a part", each, 1)):
        if value < least:
            raise FaceletError(f"{name}: {value}; expected {least} or more")
    start = time.perf_counter()
    folder = OutputFolder(out)
    others: list[str] = []
    files = sources.find(places, others)
    key = f"{predictor.fingerprint} every {every:g} each {each}"
    parts = plan(files, each, key)
    removed = _prepare(folder, {"source": sorted(map(sources.without_secrets, places)), "key": key}, parts)
    present = set(folder.names())
    missing = [part for part in parts if f"{part.name}.parquet" not in present]
    done = len(files) - sum(len(part.files) for part in missing)
    writer = PartWriter(predictor, folder, every)
    results = list(_checked(progress(_results(writer, missing, ray, workers), len(files), done)))
    for result in results:  # parts that were unread and are whole now
        if not result.unread:
            folder.remove(f"{result.name}{UNREAD}.parquet")
    return JobSummary(
        len(files),
        done,
        sum(result.faces for result in results),
        sum(result.broken for result in results),
        sum(result.unread for result in results),
        len(parts),
        removed,
        time.perf_counter() - start,
        tuple(sorted({result.host for result in results})),
        next((result.error for result in results if result.error), ""),
        tuple(others),
    )


def require_packages(ray: bool) -> None:
    """Raises FaceletError, with the command that installs it, when pyarrow or Ray is missing."""
    for package, needed, option in (("ray", ray, "--ray"), ("pyarrow", True, "--out")):
        if needed and find_spec(package) is None:
            raise FaceletError(f"{option} needs {package}: {install_command(EXTRA)}")


def _prepare(folder: OutputFolder, about: dict[str, object], parts: Sequence[Part]) -> int:
    """Checks that the folder is this job's, deletes what is out of date, and returns the number of deleted parts."""
    names = folder.names()
    written = [name for name in names if name.startswith(PREFIX) and name.endswith(".parquet")]
    before = folder.about()
    if before is None and written:
        raise FaceletError(f"--out {folder} has Parquet files of something else; give an empty or new folder")
    if before is not None and before != about:
        what = "another source" if before.get("source") != about["source"] else "another model or other settings"
        raise FaceletError(f"--out {folder} has the answers for {what}; give another folder, or delete it")
    if before is None:
        folder.write_about(about)
    current = {f"{part.name}{end}.parquet" for part in parts for end in ("", UNREAD)}
    outdated = [name for name in written if name not in current]
    # Hidden files are halves that a kill has left.
    for name in [*outdated, *(name for name in names if name.startswith(".") and name.endswith(".parquet"))]:
        folder.remove(name)
    return len(outdated)


def _results(writer: PartWriter, parts: Sequence[Part], ray: str | None, workers: int) -> Iterator[PartResult]:
    if ray is None or not parts:
        yield from map(writer, parts)
        return
    from facelet.batch.cluster import map_on_ray

    yield from map_on_ray(writer, parts, ray, workers)


def _checked(results: Iterable[PartResult]) -> Iterator[PartResult]:
    for result in results:
        if result.failed:
            raise FaceletError(f"{result.failed} (on {result.host}; what is done is kept, the next run goes on)")
        yield result
