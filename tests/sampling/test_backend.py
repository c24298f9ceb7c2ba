"""The lines that only a GPU runs, on a library that notes what it is asked for.

What they do there is tested in `tests/gpu`; here, that they ask for it in the right order.
"""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from refusals import one_sentence

from onnxcert.errors import DeviceError
from onnxcert.sampling.backend import cuda_backend
from onnxcert.sampling.kernels import OPTIONS, source


class Stream:
    """A stream that notes what was asked of it."""

    def __init__(self, name: str, said: list[str]) -> None:
        self.name, self.said, self.ptr = name, said, 4711

    def record(self) -> str:
        self.said.append(f"{self.name} records")
        return f"the event of {self.name}"

    def wait_event(self, event: str) -> None:
        self.said.append(f"{self.name} waits for {event}")


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def cupy(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> Any:
    """A module of this name, with NumPy's arrays."""

    class Module:
        def __init__(self, *, code: str, options: tuple[str, ...]) -> None:
            assert (code, options) == (source(), OPTIONS)

        def compile(self) -> None:
            said.append("compiled")

    def new_stream(*, non_blocking: bool) -> Stream:
        assert non_blocking
        return Stream("model", said)

    callers = Stream("caller", said)
    library = SimpleNamespace(
        asarray=np.asarray,
        asnumpy=np.asarray,
        RawModule=Module,
        ndarray=lambda shape, dtype, at: SimpleNamespace(shape=shape, dtype=dtype, at=at),
        cuda=SimpleNamespace(
            Device=lambda index: SimpleNamespace(use=lambda: said.append(f"uses {index}")),
            Stream=new_stream,
            get_current_stream=lambda: callers,
            UnownedMemory=lambda *of: of,
            MemoryPointer=lambda *of: of,
        ),
    )
    monkeypatch.setitem(sys.modules, "cupy", library)
    cuda_backend.cache_clear()
    yield library
    cuda_backend.cache_clear()


@pytest.mark.usefixtures("cupy")
def test_a_pass_waits_for_its_noise_and_counts_wait_for_the_pass(said: list[str]) -> None:
    device = cuda_backend(2).of
    del said[:]
    with device.model_runs():
        said.append("runs")
    assert said == [
        "caller records",
        "model waits for the event of caller",
        "runs",
        "model records",
        "caller waits for the event of model",
    ]


@pytest.mark.usefixtures("cupy")
def test_counts_wait_for_a_pass_that_fails_too(said: list[str]) -> None:
    device = cuda_backend(0).of
    with pytest.raises(ValueError, match="no"), device.model_runs():
        raise ValueError("no")
    assert said[-1] == "caller waits for the event of model"


@pytest.mark.usefixtures("cupy")
def test_there_is_one_backend_for_each_gpu_of_a_process(said: list[str]) -> None:
    """So that all models of it, and their noise, are on one stream."""
    assert cuda_backend(1) is cuda_backend(1)
    assert cuda_backend(1) is not cuda_backend(2)
    assert cuda_backend(2).of.stream == 4711
    assert cuda_backend(2).of.place == ("cuda", 2)
    assert said == ["uses 1", "compiled", "uses 2", "compiled"]


@pytest.mark.usefixtures("cupy")
def test_an_answer_is_seen_where_it_lies_and_kept_alive() -> None:
    owner = object()
    view = cuda_backend(2).of.view(1000, (3, 4), np.dtype("float16"), owner)
    assert (view.shape, view.dtype) == ((3, 4), np.float16)
    assert view.at == ((1000, 24, owner, 2), 0)


@pytest.mark.usefixtures("cupy")
def test_arrays_come_to_the_gpu_of_the_backend_from_any_thread(said: list[str]) -> None:
    device = cuda_backend(3).of
    del said[:]
    assert device.host(device.to_device(np.arange(3))).tolist() == [0, 1, 2]
    assert said == ["uses 3"]
    array = SimpleNamespace(data=SimpleNamespace(ptr=np.int64(5)))
    assert device.pointer(array) == 5


def test_what_the_driver_says_is_one_sentence(cupy: Any) -> None:
    def broken(_index: int) -> None:
        raise RuntimeError("cudaErrorInsufficientDriver: too old.\nand more")

    cupy.cuda.Device = broken
    with one_sentence(DeviceError) as caught:
        cuda_backend(0)
    assert "too old)" in str(caught.value)
