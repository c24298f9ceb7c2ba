"""The CUDA sources as a shared library of this machine, in the place of CuPy's RawModule."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
from waiting import LIMIT

from onnxcert.sampling.kernels import source

COMPILER = next((found for name in ("g++", "clang++") if (found := shutil.which(name))), None)
STRICT = ("-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas")
# No contraction: a product and a sum round twice unless the source says otherwise.
OPTIONS = ("-std=c++17", "-O2", "-ffp-contract=off", "-fPIC", "-shared", "-pthread")


class CpuModule:
    """Kernels by name; each runs all threads of its grid, one after another, on NumPy arrays."""

    def __init__(self, text: str, *options: str) -> None:
        assert COMPILER is not None
        folder = Path(mkdtemp(prefix="onnxcert-kernels-"))
        names = kernels(text)
        exports = "\n".join(f"ON_CPU({name})" for name in names)
        file, library = folder / "kernels.cpp", folder / "kernels.so"
        file.write_text(f'#include "on_cpu.h"\n{text}\n{exports}\n', encoding="utf-8")
        include = f"-I{Path(__file__).parent / 'sampling' / 'kernels'}"
        command = [COMPILER, *OPTIONS, *STRICT, *options, include, str(file), "-o", str(library)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT)
        assert done.returncode == 0, done.stderr
        self.library = ctypes.CDLL(str(library))
        shutil.rmtree(folder)
        self.launched: list[str] = []

    def get_function(self, name: str, /) -> Callable[[Any, Any, Any], Any]:
        function = getattr(self.library, f"on_cpu_{name}")

        def launch(grid: tuple[int, ...], block: tuple[int, ...], arguments: Any) -> None:
            self.launched.append(name)
            boxes = [_boxed(argument) for argument in arguments]
            pointers = (ctypes.c_void_p * len(boxes))(*(box.ctypes.data for box in boxes))
            sizes = [np.array(size, dtype=np.uint32) for size in (grid, block)]
            function(*(ctypes.c_void_p(size.ctypes.data) for size in sizes), pointers)

        return launch


def kernels(text: str) -> list[str]:
    """Names of all kernels in `text`, with macros expanded as they are used."""
    names = [
        name.replace("##suffix", suffix)
        for macro in ("NOISE", "VOTES")
        for suffix in re.findall(rf"^ONNXCERT_{macro}\(.*?(\w+)\)$", text, re.MULTILINE)
        for name in re.findall(
            r"__global__ void (\w+##suffix)",
            text.split(f"#define ONNXCERT_{macro}(")[1].split("\n\n")[0],
        )
    ]
    assert len(names) == text.count("__global__ void") * 2 + 6, names
    return names


def _boxed(argument: Any) -> np.ndarray[Any, Any]:
    """What a kernel's argument points to: an array's address, or a scalar's bytes."""
    if isinstance(argument, np.ndarray):
        return np.array([argument.ctypes.data], dtype=np.uint64)
    assert isinstance(argument, np.generic), f"not an argument of a kernel: {argument!r}"
    return np.array([argument])


@cache
def module() -> CpuModule:
    """The sources as they are, compiled once."""
    return CpuModule(source())
