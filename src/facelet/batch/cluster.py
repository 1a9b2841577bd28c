"""Makes parts on a Ray cluster: each worker is a Ray Data actor that opens the models once.

>>> for result in map_on_ray(PartWriter(predictor, folder), parts, address=""): ...

Ray Data restarts workers that are lost, with the part that they had. Ray's usage statistics are off unless the environment turns
them on.
"""

from __future__ import annotations

import logging
import os
import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from facelet.batch.parts import Part, PartResult, PartWriter
from facelet.errors import FaceletError

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")


class _Worker:
    """The callable of Ray Data: a batch of one pickled part in, its result out."""

    def __init__(self, writer: PartWriter) -> None:
        self._writer = writer

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        results = [asdict(self._writer(pickle.loads(part))) for part in batch["part"]]
        return {name: [result[name] for result in results] for name in results[0]}


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
        cores = float(ray.cluster_resources().get("CPU", 1))
        count = min(workers or max(1, int(cores)), len(parts))
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.execution_options.preserve_order = False
        rows = ray.data.from_items(
            [{"part": pickle.dumps(part)} for part in parts], override_num_blocks=len(parts)
        ).map_batches(
            _Worker,
            fn_constructor_args=(writer,),
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=count, max_tasks_in_flight_per_actor=2),
            num_cpus=cpus_each(cores, count),
        )
        try:
            yield from (PartResult(**row) for row in rows.iter_rows())
        except ray.exceptions.RayError as error:
            reason = next((line for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__)
            raise FaceletError(f"Ray failed: {reason[:300]}; what is done is kept, the next run goes on") from None


def cpus_each(cores: float, workers: int) -> float:
    """CPUs that Ray reserves for each worker: a fraction, so that one CPU stays free for Ray's own tasks, which wait otherwise."""
    free = cores - 1 if cores > 1 else cores / 2
    return int(1000 * min(1.0, free / workers)) / 1000


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """Ray, connected to a cluster. One that was started here is stopped at the end; one that was connected before stays so.

    ``address`` is empty (RAY_ADDRESS, else the cluster that runs on this machine, else a new one), "local" (a new one), "auto" (one
    that runs), or HOST:PORT or ray://HOST:PORT. Raises FaceletError when the cluster cannot be reached.
    """
    import ray
    import ray.data

    if ray.is_initialized():
        yield ray
        return
    try:
        ray.init(address=address or None, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # ConnectionError, ValueError, RuntimeError and Ray's own
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise FaceletError(
            f"no Ray cluster at {address or 'this machine'}: {reason}; give the address of `ray start --head`, or leave it out"
        ) from None
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        yield ray
    finally:
        ray.shutdown()
