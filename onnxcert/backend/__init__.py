"""Backends that draw noise and count votes: NumPy on the CPU, CuPy on a GPU.

A backend is passed explicitly; there is no global one.
"""

from onnxcert.backend.cuda import cuda_backend
from onnxcert.backend.device import Device, DeviceBackend, NetworkInput
from onnxcert.backend.in_memory import NUMPY, NumpyBackend
from onnxcert.backend.interface import Backend

__all__ = [
    "NUMPY",
    "Backend",
    "Device",
    "DeviceBackend",
    "NetworkInput",
    "NumpyBackend",
    "cuda_backend",
]
