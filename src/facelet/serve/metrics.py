"""Prometheus metrics of the service."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
JOBS = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """The metrics of one application, with a registry of their own."""

    content_type = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "facelet_requests", "Answered requests.", ["route", "method", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "facelet_request_seconds",
            "Time from a request's header to its answer.",
            ["route"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.under_way = Gauge(
            "facelet_requests_under_way", "Accepted and unanswered requests.", registry=self.registry
        )
        self.waiting = Gauge(
            "facelet_queue_length", "Photos and crops that no worker has started.", registry=self.registry
        )
        self.jobs = Histogram(
            "facelet_batch_size",
            "Photos and crops that shared a model run.",
            buckets=JOBS,
            registry=self.registry,
        )
        self.faces = Counter("facelet_faces", "Analyzed faces.", registry=self.registry)
        self.refused = Counter("facelet_overloads", "Requests refused with 429.", registry=self.registry)

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)
