"""Facelet makes face models small, and proves it."""

__version__ = "0.1.0"
