"""ONNX graphs: read, check, trace, edit."""
