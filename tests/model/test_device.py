"""The device asked for, or a refusal; never another one without a word."""

from __future__ import annotations

from pathlib import Path

import graphs
import numpy as np
import pytest

from onnxcert import OnnxSegmenter
from onnxcert.errors import DeviceError
from onnxcert.model import session

no_gpu = pytest.mark.skipif(session._gpu_present(), reason="this machine has a GPU")


def opened(folder: Path, **options: object) -> OnnxSegmenter:
    path = graphs.save(graphs.threshold(), folder / "model.onnx")
    return OnnxSegmenter.open(path, **options)  # type: ignore[arg-type]


@no_gpu
@pytest.mark.parametrize("device", ["cuda", "cuda:0", "cuda:1"])
def test_cuda_where_there_is_none_is_refused(tmp_path: Path, device: str) -> None:
    with pytest.raises(DeviceError) as caught:
        opened(tmp_path, device=device)
    message = str(caught.value)
    assert device in message
    assert "--device cpu" in message
    assert "\n" not in message


@no_gpu
def test_a_silent_fall_back_of_the_runtime_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # ONNX Runtime, asked for CUDA, gives a session on the CPU and no error.
    monkeypatch.setattr(session, "_gpu_present", lambda: True)
    with pytest.raises(DeviceError, match="cuda was asked for"):
        opened(tmp_path, device="cuda")


@no_gpu
def test_auto_says_why_it_left_a_gpu_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_gpu_present", lambda: True)
    found = opened(tmp_path, device="auto").session
    assert found.device == "cpu"
    assert "a GPU is present" in found.note
    assert "running on the CPU" in found.note


@no_gpu
def test_auto_without_a_gpu_is_the_cpu_and_nothing_to_tell(tmp_path: Path) -> None:
    found = opened(tmp_path, device="auto", threads=1).session
    assert (found.device, found.provider) == ("cpu", "CPUExecutionProvider")
    assert found.note == ""


@pytest.mark.parametrize(
    "device",
    ["", "gpu", "CPU", "cpu:0", "cpu:", "cuda:", "cuda:x", "cuda:-1", "cuda:1:2", "auto:0"],
)
def test_a_device_of_another_name_is_refused(tmp_path: Path, device: str) -> None:
    with pytest.raises(DeviceError, match=r"auto, cpu, cuda or cuda:0"):
        opened(tmp_path, device=device)


def test_threads_are_as_many_as_asked(tmp_path: Path) -> None:
    assert opened(tmp_path, device="cpu", threads=3).session.threads == 3
    assert opened(tmp_path, device="cpu").session.threads == session.available_cores()


def test_the_number_of_threads_changes_no_label(tmp_path: Path) -> None:
    batch = np.random.default_rng(0).normal(0.5, 0.4, (4, 3, 8, 8)).astype(np.float32)
    one, two = (opened(tmp_path, device="cpu", threads=t)(batch) for t in (1, 2))
    assert np.array_equal(one, two)
