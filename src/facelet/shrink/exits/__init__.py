"""Early exits as ONNX graphs."""
