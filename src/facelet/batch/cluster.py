"""Makes parts on a Ray cluster: each worker is an actor, which opens the models once.

>>> for result in map_on_ray(PartWriter(predictor, folder), parts, address=""): ...

Plain actors and not Ray Data's ``map_batches``: a part is read, predicted and written by one worker, so there is no data to move,
and no read task that waits for a CPU which the workers have taken. Ray's usage statistics are off unless the environment turns
them on.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from facelet.batch.parts import Part, PartResult, PartWriter
from facelet.errors import FaceletError

ADVICE = "give the address of `ray start --head`, or leave it out"
SECONDS = 10.0
"""How long the first connection to a cluster may take."""
RETRIES = 3
"""How often a part is tried again whose worker was lost."""

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")


def map_on_ray(writer: PartWriter, parts: Sequence[Part], address: str = "", workers: int = 0) -> Iterator[PartResult]:
    """Yields the result of each part as it is made, in any order.

    Args:
        writer: what a worker does.
        parts: the work.
        address: of the cluster; empty: see ``connected``.
        workers: number of workers, at most one per part; 0 for one per CPU.

    Raises FaceletError when there is no cluster at the address, or when Ray fails.
    """
    with connected(address) as ray:
        from ray.util import ActorPool

        cores = float(ray.cluster_resources().get("CPU", 1))
        count = min(workers or max(1, int(cores)), len(parts))
        # A worker that is lost starts again, on any machine, with the part that it had.
        options = {"num_cpus": cpus_each(cores, count), "max_restarts": -1, "max_task_retries": RETRIES}
        worker = ray.remote(**options)(_Worker)
        # Not an argument of the workers' constructor: Ray may have lost it when one starts again.
        shared = ray.put(writer)
        pool = ActorPool([worker.remote() for _ in range(count)])
        try:
            yield from pool.map_unordered(lambda actor, part: actor.make.remote(shared, part), parts)
        except ray.exceptions.RayError as error:
            reason = next((line for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__)
            raise FaceletError(f"Ray failed: {reason[:300]}; what is done is kept, the next run goes on") from None


class _Worker:
    """The actor: a process in which the models stay open, see ``FacePredictor.open``."""

    def make(self, writer: PartWriter, part: Part) -> PartResult:
        return writer(part)


def cpus_each(cores: float, workers: int) -> float:
    """CPUs that Ray reserves for each worker: a fraction if there are more workers than CPUs, so that none waits for a CPU."""
    return int(1000 * min(1.0, cores / workers)) / 1000


def require_listening(address: str) -> None:
    """Raises FaceletError if nobody answers at HOST:PORT: Ray would try for minutes."""
    host, separator, port = address.removeprefix("ray://").rpartition(":")
    if not separator:
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=SECONDS).close()
    except (OSError, ValueError, OverflowError) as error:
        raise FaceletError(f"no Ray cluster at {address}: {error}; {ADVICE}") from None


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """Ray, connected to a cluster. One that was started here is stopped at the end; one that was connected before stays so.

    ``address`` is empty (RAY_ADDRESS, else the cluster that runs on this machine, else a new one), "local" (a new one), "auto" (one
    that runs), or HOST:PORT or ray://HOST:PORT. Raises FaceletError when the cluster cannot be reached.
    """
    import ray

    if ray.is_initialized():
        yield ray
        return
    require_listening(address or os.environ.get("RAY_ADDRESS", ""))
    logging.getLogger("ray").setLevel(logging.ERROR)  # its setup logs before it takes the level below
    try:
        ray.init(address=address or None, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # ConnectionError, ValueError, RuntimeError and Ray's own
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise FaceletError(f"no Ray cluster at {address or 'this machine'}: {reason}; {ADVICE}") from None
    try:
        yield ray
    finally:
        ray.shutdown()
