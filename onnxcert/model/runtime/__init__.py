"""ONNX Runtime sessions, batches, and the execution plan of a model."""
