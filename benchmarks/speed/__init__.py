"""Speed and memory, compared with bare ONNX Runtime and the reference design; see `__main__`."""
