"""ONNX models: contract, lint, graph surgery, session. The only importer of onnx and onnxruntime.

`contract` imports neither, so that converters can write one where nothing else is installed.
"""
