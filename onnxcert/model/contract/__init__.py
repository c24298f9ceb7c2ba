"""The contract: how to call a model. Imports neither onnx nor ONNX Runtime."""
