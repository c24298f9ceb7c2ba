"""Source code of the kernels, for a compiler at run time."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

OPTIONS: Final = ("-std=c++17",)


def source() -> str:
    """Return the CUDA C++ source, without headers; every kernel has a C name.

    Compile it with `OPTIONS` and without options that loosen arithmetic, such as `--use_fast_math`:
    the results must follow IEEE 754.
    """
    folder = files("onnxcert.sampling.kernels")
    names = ("half.cu", "noise.cu", "votes.cu")
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in names)
