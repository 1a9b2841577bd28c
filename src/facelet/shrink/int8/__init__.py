"""Machinery of int8 quantization."""
