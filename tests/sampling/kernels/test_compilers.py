"""The sources compile for old and new devices, with and without a CUDA toolkit installed."""

from __future__ import annotations

import ctypes
import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from waiting import LIMIT

from onnxcert.sampling.kernels import OPTIONS, source

NVCC = shutil.which("nvcc")


def nvrtc() -> ctypes.CDLL | None:
    """The run-time compiler as pip installs it, if it is there."""
    found = importlib.util.find_spec("nvidia")
    for folder in (found and found.submodule_search_locations) or ():
        for path in sorted(Path(folder).rglob("libnvrtc.so.*")):
            return ctypes.CDLL(str(path))
    return None


def devices() -> list[str]:
    """The oldest device that this nvcc knows, and the H100's generation."""
    assert NVCC is not None
    listed = subprocess.run([NVCC, "--list-gpu-code"], capture_output=True, text=True, check=True)
    known = re.findall(r"sm_\d+", listed.stdout)
    return [known[0], *(name for name in ("sm_90",) if name in known)]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A folder for each device: the binary, and the intermediate files of its compilation."""
    if NVCC is None:
        pytest.skip("no nvcc")
    folders = []
    for device in devices():
        folder = tmp_path_factory.mktemp(device)
        file = folder / "kernels.cu"
        file.write_text(source(), encoding="utf-8")
        command = [NVCC, *OPTIONS, f"-arch={device}", "-Werror", "all-warnings", "-cubin"]
        command += ["-Xptxas", "-warn-spills,-warn-lmem-usage", "--keep", "--keep-dir", str(folder)]
        command += ["-o", str(folder / "kernels.cubin"), str(file)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT)
        assert done.returncode == 0, done.stderr
        folders.append(folder)
    return folders


@pytest.mark.slow
@pytest.mark.xdist_group("nvcc")
def test_nvcc_compiles_all_files_without_a_warning(built: list[Path]) -> None:
    assert all((folder / "kernels.cubin").stat().st_size > 10_000 for folder in built)


@pytest.mark.slow
@pytest.mark.xdist_group("nvcc")
def test_no_arithmetic_is_loosened_on_the_way(built: list[Path]) -> None:
    """No approximate function, no subnormal flushed, and fused only what the source fuses."""
    for folder in built:
        text = (folder / "kernels.ptx").read_text(encoding="utf-8")
        kernels = re.split(r"\.entry ", text)[1:]
        assert len(kernels) == 16
        for kernel in kernels:
            assert ".approx" not in kernel
            assert ".ftz" not in kernel
            assert not re.findall(r"\bfma\.rn", kernel), kernel[:40]


@pytest.mark.parametrize("device", ["compute_75", "compute_90"])
def test_the_run_time_compiler_takes_them_as_they_are(device: str) -> None:
    """As CuPy compiles them: no file, no include path, no toolkit."""
    library = nvrtc()
    if library is None:
        pytest.skip("no libnvrtc: pip install nvidia-cuda-nvrtc")
    program, size = ctypes.c_void_p(), ctypes.c_size_t()
    text = source().encode()
    created = library.nvrtcCreateProgram(ctypes.byref(program), text, b"onnxcert.cu", 0, None, None)
    assert created == 0
    options = [option.encode() for option in (*OPTIONS, f"--gpu-architecture={device}")]
    array = (ctypes.c_char_p * len(options))(*options)
    status = library.nvrtcCompileProgram(program, len(options), array)
    assert library.nvrtcGetProgramLogSize(program, ctypes.byref(size)) == 0
    log = ctypes.create_string_buffer(size.value)
    assert library.nvrtcGetProgramLog(program, log) == 0
    assert (status, log.value.decode()) == (0, "")
    library.nvrtcDestroyProgram(ctypes.byref(program))
