"""Machinery of structured pruning."""
