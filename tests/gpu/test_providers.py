"""On a machine with a GPU: what was asked for is what runs, and nothing else by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import graphs
import numpy as np
import pytest
from devices import gpu
from refusals import one_sentence

from onnxcert import OnnxSegmenter
from onnxcert.errors import DeviceError
from onnxcert.model.runtime import session
from onnxcert.sampling.backend import DeviceBackend

pytestmark = pytest.mark.gpu


@pytest.fixture
def present() -> DeviceBackend:
    return gpu()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return graphs.save(graphs.threshold(), tmp_path / "model.onnx")


def test_cuda_is_cuda(present: DeviceBackend, model: Path) -> None:
    found = OnnxSegmenter.open(model, device="cuda").session
    assert (found.provider, found.device) == ("CUDAExecutionProvider", "cuda:0")
    assert found.backend is present
    assert found.note == ""


@pytest.mark.usefixtures("present")
def test_auto_takes_the_gpu(model: Path) -> None:
    assert OnnxSegmenter.open(model, device="auto").session.device == "cuda:0"


@pytest.mark.usefixtures("present")
def test_a_gpu_that_is_not_there_is_refused(model: Path) -> None:
    with one_sentence(DeviceError):
        OnnxSegmenter.open(model, device="cuda:99")


@pytest.mark.usefixtures("present")
def test_a_silent_fall_back_of_the_runtime_is_refused(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = session._create

    def on_cpu(proto: Any, _providers: Any, threads: int) -> Any:
        return create(proto, ["CPUExecutionProvider"], threads)

    monkeypatch.setattr(session, "_create", on_cpu)
    with pytest.raises(DeviceError, match="did not load"):
        OnnxSegmenter.open(model, device="cuda")


@pytest.mark.usefixtures("present")
def test_tensorrt_is_tensorrt_and_keeps_its_engines(
    model: Path, monkeypatch: Any, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    try:
        segmenter = OnnxSegmenter.open(model, device="tensorrt")
    except DeviceError as error:
        pytest.skip(str(error))
    assert segmenter.session.provider == "TensorrtExecutionProvider"
    batch = np.random.default_rng(0).random((2, 3, 16, 16), dtype=np.float32)
    on_cpu = OnnxSegmenter.open(model, device="cpu")
    np.testing.assert_array_equal(segmenter(batch), on_cpu(batch))
    assert any((tmp_path / "cache").rglob("*.engine"))
