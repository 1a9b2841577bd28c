"""Cartoon faces for demos and tests."""
