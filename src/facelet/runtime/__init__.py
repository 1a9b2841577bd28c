"""How a model file is used: numpy, OpenCV and ONNX Runtime only, nothing of the training side.

>>> from facelet.runtime.analyzer import Analyzer
>>> Analyzer("student-int8.onnx").analyze("photo.jpg")
"""
