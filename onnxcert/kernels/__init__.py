"""The two GPU kernels, noise and votes, and a transcription that runs without a GPU.

`noise.cu` and `votes.cu` are compiled at run time on a machine with a GPU (`source`, `Compiled`).
`Transcription` does the same with NumPy or any array library. The tests compare with it, and it
defines the draws where a GPU and a CPU must agree.
"""

from onnxcert.kernels.compiled import Compiled
from onnxcert.kernels.grid import Split, grid_step, split
from onnxcert.kernels.interface import Channels, Kernels, Scores
from onnxcert.kernels.normal import standard_normals
from onnxcert.kernels.philox import GENERATOR, stream_key
from onnxcert.kernels.philox_noise import PhiloxNoise
from onnxcert.kernels.source import OPTIONS, source
from onnxcert.kernels.transcription import Transcription

__all__ = [
    "GENERATOR",
    "OPTIONS",
    "Channels",
    "Compiled",
    "Kernels",
    "PhiloxNoise",
    "Scores",
    "Split",
    "Transcription",
    "grid_step",
    "source",
    "split",
    "standard_normals",
    "stream_key",
]
