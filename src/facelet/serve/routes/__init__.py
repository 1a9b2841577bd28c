"""The routes: one module per API, each with a ``router``."""
