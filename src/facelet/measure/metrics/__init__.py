"""Scores, intervals, ROC curves, calibration: pure functions."""
