"""Drawn faces, for demos and tests."""
