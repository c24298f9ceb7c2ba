"""Backends that draw noise and count votes: NumPy on the CPU, CuPy on a GPU.

A backend is passed explicitly; there is no global one.
"""

from onnxcert.sampling.backend.device import CupyDevice, DeviceBackend, NetworkInput, cuda_backend
from onnxcert.sampling.backend.in_memory import NUMPY, NumpyBackend
from onnxcert.sampling.backend.interface import Backend

__all__ = [
    "NUMPY",
    "Backend",
    "CupyDevice",
    "DeviceBackend",
    "NetworkInput",
    "NumpyBackend",
    "cuda_backend",
]
