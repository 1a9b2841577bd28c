"""Layers shared by several nets."""
