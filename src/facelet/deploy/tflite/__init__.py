"""Machinery of the LiteRT target: from a graph for one face to a .tflite flatbuffer."""
