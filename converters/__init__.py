"""Exporters of PyTorch modules to ONNX: for images (`pytorch`) and for point clouds (`points`).

Each module imports its framework only on use, so that onnxcert installs without any framework.
"""
