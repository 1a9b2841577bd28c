"""Size, operations, latency and numerical parity."""
