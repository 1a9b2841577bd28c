"""Metrics are readable by Prometheus, and each application has its own."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from facelet.serve.metrics import Metrics


def test_text():
    metrics, others = Metrics(), Metrics()
    metrics.requests.labels("/v1/analyze", "POST", 200).inc()
    metrics.jobs.observe(3)
    metrics.waiting.set_function(lambda: 5)
    families = {family.name: family for family in text_string_to_metric_families(metrics.text().decode())}
    names = {"requests", "request_seconds", "requests_under_way", "queue_length", "batch_size", "faces", "overloads"}
    assert {f"facelet_{name}" for name in names} <= families.keys()
    assert families["facelet_queue_length"].samples[0].value == 5
    assert "process_resident_memory_bytes" in families
    assert b"/v1/analyze" not in others.text()
