"""The commands that measure models: `eval`, `bench`, `card` and `compare`."""
