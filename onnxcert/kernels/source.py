"""The kernels as one text for a compiler at run time."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

OPTIONS: Final = ("-std=c++17",)


def source() -> str:
    """CUDA C++ without a header; every kernel has a C name.

    Compile it with `OPTIONS` and nothing that loosens arithmetic, such as `--use_fast_math`: what
    it promises is IEEE 754.
    """
    folder = files("onnxcert.kernels")
    names = ("half.cu", "noise.cu", "votes.cu")
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in names)
