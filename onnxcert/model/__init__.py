"""ONNX models: contract, lint, graph surgery, session. Only this package imports onnx, onnxruntime.

`contract` imports neither, so that converters can write a contract without them.
"""
