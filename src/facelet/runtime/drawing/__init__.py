"""Faces drawn into photos."""
