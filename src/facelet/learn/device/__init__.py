"""Precision, CUDA graphs, processes, interrupts."""
