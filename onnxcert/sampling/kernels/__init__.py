"""The two GPU kernels, noise and votes, and a transcription that runs without a GPU.

`noise.cu` and `votes.cu` are compiled at run time on a machine with a GPU (`source`, `Compiled`).
`Transcription` does the same with NumPy or any array library. The tests compare with it, and it
defines the draws where a GPU and a CPU must agree.
"""

from onnxcert.sampling.kernels.compiled import OPTIONS, Compiled, source
from onnxcert.sampling.kernels.grid import Split, grid_step, split
from onnxcert.sampling.kernels.interface import Channels, Kernels, Scores
from onnxcert.sampling.kernels.philox import GENERATOR, PhiloxNoise, standard_normals, stream_key
from onnxcert.sampling.kernels.transcription import Transcription

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
