"""The device asked for, or a refusal; never another one without a word."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import pytest
from devices import transcribed
from refusals import one_sentence

from onnxcert import OnnxSegmenter
from onnxcert.errors import DeviceError
from onnxcert.model.runtime import session
from onnxcert.model.runtime.session import engine_folder, gpu_providers
from onnxcert.sampling.backend import NUMPY

no_gpu = pytest.mark.skipif(session._gpu_present(), reason="this machine has a GPU")


@pytest.fixture
def gpu_without_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU is there, and neither CUDA's libraries nor CuPy are."""
    monkeypatch.setattr(session, "_gpu_present", lambda: True)
    monkeypatch.setitem(sys.modules, "cupy", None)


def opened(folder: Path, **options: object) -> OnnxSegmenter:
    path = graphs.save(graphs.threshold(), folder / "model.onnx")
    return OnnxSegmenter.open(path, **options)  # type: ignore[arg-type]


@no_gpu
@pytest.mark.parametrize("device", ["cuda", "cuda:0", "cuda:1", "tensorrt", "tensorrt:1"])
def test_cuda_where_there_is_none_is_refused(tmp_path: Path, device: str) -> None:
    with one_sentence(DeviceError) as caught:
        opened(tmp_path, device=device)
    message = str(caught.value)
    assert device in message
    assert "--device cpu" in message


@no_gpu
@pytest.mark.parametrize("device", ["cuda", "tensorrt"])
def test_a_silent_fall_back_of_the_runtime_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    # ONNX Runtime, asked for CUDA, gives a session on the CPU and no error.
    monkeypatch.setattr(session, "_gpu_present", lambda: True)
    monkeypatch.setattr(session, "cuda_backend", lambda _index: transcribed())
    with pytest.raises(DeviceError, match=f"{device} was requested.*did not load"):
        opened(tmp_path, device=device)


@pytest.mark.usefixtures("gpu_without_libraries")
@pytest.mark.parametrize("device", ["cuda", "cuda:1", "tensorrt"])
def test_without_cupy_a_gpu_asked_for_is_refused_and_the_extra_named(
    tmp_path: Path, device: str
) -> None:
    with one_sentence(DeviceError) as caught:
        opened(tmp_path, device=device)
    message = str(caught.value)
    assert "CuPy" in message
    assert "onnxcert[cuda13]" in message
    assert "onnxcert[cuda12]" in message


@pytest.mark.usefixtures("gpu_without_libraries")
def test_without_cupy_auto_runs_the_model_there_and_says_where_noise_is_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Runtime:
        """A session that has what it was asked for, which no machine without a GPU gives."""

        def __init__(self, providers: list[Any]) -> None:
            self.providers = [name if isinstance(name, str) else name[0] for name in providers]

        def get_providers(self) -> list[str]:
            return self.providers

    monkeypatch.setattr(session, "_create", lambda _proto, providers, _threads: Runtime(providers))
    found = session.open_session(graphs.threshold(), device="auto")
    assert (found.device, found.provider) == ("cuda:0", "CUDAExecutionProvider")
    assert found.backend is NUMPY
    assert "CuPy" in found.note
    assert "noise is drawn on the CPU" in found.note


@no_gpu
@pytest.mark.usefixtures("gpu_without_libraries")
def test_auto_says_why_it_left_a_gpu_that_is_there(tmp_path: Path) -> None:
    found = opened(tmp_path, device="auto").session
    assert found.device == "cpu"
    assert found.backend is NUMPY
    assert "a GPU is present" in found.note
    assert "running on the CPU" in found.note


def test_all_passes_run_on_the_stream_of_the_noise() -> None:
    for kind in ("cuda", "tensorrt"):
        on_gpu = [p for p in gpu_providers(graphs.threshold(), kind, 3, 77) if isinstance(p, tuple)]
        assert len(on_gpu) == 1 + (kind == "tensorrt")
        for _, options in on_gpu:
            assert options["user_compute_stream"] == "77"
            assert options["device_id"] == "3"
    (cuda, _cpu) = gpu_providers(graphs.threshold(), "cuda", 0, 0)
    assert "user_compute_stream" not in cuda[1]


def test_nobody_gets_the_engine_of_another_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even of one that differs in a weight alone: ONNX Runtime would not tell them apart."""
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    one, again, other = (engine_folder(graphs.threshold(level)) for level in (0.5, 0.5, 0.6))
    assert one == again
    assert one != other
    assert one.is_relative_to("/somewhere")


@no_gpu
def test_auto_without_a_gpu_is_the_cpu_and_nothing_to_tell(tmp_path: Path) -> None:
    found = opened(tmp_path, device="auto", threads=1).session
    assert (found.device, found.provider) == ("cpu", "CPUExecutionProvider")
    assert found.note == ""


@pytest.mark.parametrize(
    "device",
    [
        "tensorrt:",
        "tensorrt:x",
        "trt",
        "",
        "gpu",
        "CPU",
        "cpu:0",
        "cpu:",
        "cuda:",
        "cuda:x",
        "cuda:-1",
        "cuda:1:2",
        "auto:0",
    ],
)
def test_a_device_of_another_name_is_refused(tmp_path: Path, device: str) -> None:
    with pytest.raises(DeviceError, match=r"auto, cpu, cuda, cuda:0"):
        opened(tmp_path, device=device)


def test_threads_are_as_many_as_asked(tmp_path: Path) -> None:
    assert opened(tmp_path, device="cpu", threads=3).session.threads == 3
    assert opened(tmp_path, device="cpu").session.threads == session.available_cores()


def test_the_number_of_threads_changes_no_label(tmp_path: Path) -> None:
    batch = np.random.default_rng(0).normal(0.5, 0.4, (4, 3, 8, 8)).astype(np.float32)
    one, two = (opened(tmp_path, device="cpu", threads=t)(batch) for t in (1, 2))
    assert np.array_equal(one, two)
