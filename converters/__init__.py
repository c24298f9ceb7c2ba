"""Exporters of PyTorch modules to ONNX: of pictures (`pytorch`) and of point clouds (`points`).

Each module imports its framework only when it is used, so that onnxcert installs without any.
"""
