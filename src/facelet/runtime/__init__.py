"""Inference with model files; needs only NumPy, OpenCV and ONNX Runtime, never the training code.

>>> from facelet.runtime.analyzer import Analyzer
>>> Analyzer("student-int8.onnx").analyze("photo.jpg")
"""
