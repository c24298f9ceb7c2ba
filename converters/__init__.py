"""Exporters to ONNX, one file for each framework.

Each module imports its framework only when it is used, so that onnxcert installs without any.
"""
