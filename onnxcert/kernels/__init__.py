"""The two kernels that a GPU needs, noise and votes, with a transcription that runs anywhere.

`noise.cu` and `votes.cu` are compiled at run time by whoever has a GPU (`source`, `Compiled`).
`Transcription` does the same by NumPy, or any array library: it is what the tests compare with,
and where a GPU and a CPU must agree on a draw, it is the definition.
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
