"""Inspection of a set of faces: summary, leaks, overlap, contact sheet."""
