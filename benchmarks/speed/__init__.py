"""Speed and memory beside bare ONNX Runtime and beside the reference design; see `__main__`."""
