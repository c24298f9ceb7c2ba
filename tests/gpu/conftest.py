"""Every test of a backend runs on a GPU, where there is one, and on its stand-ins anywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import onnx
import pytest
from devices import BACKENDS

from onnxcert import OnnxSegmenter
from onnxcert.model.runtime import session
from onnxcert.model.runtime.session import Session
from onnxcert.sampling.backend import DeviceBackend

Opened = Callable[..., OnnxSegmenter]


@pytest.fixture(params=BACKENDS, ids=lambda make: make.__name__)
def backend(request: pytest.FixtureRequest) -> DeviceBackend:
    found: DeviceBackend = request.param()
    return found


@pytest.fixture
def device(backend: DeviceBackend, monkeypatch: pytest.MonkeyPatch) -> str:
    """`cuda`: a GPU, or what stands in for it wherever a session is opened on one."""
    if backend.of.place[0] == "cpu":

        def on_stand_in(
            proto: onnx.ModelProto, _kind: str, _index: int, threads: int
        ) -> tuple[Session, str]:
            cpu = "CPUExecutionProvider"
            runtime = session._create(proto, [cpu], threads)
            return Session(runtime, cpu, "cuda:0", threads, backend=backend), ""

        monkeypatch.setattr(session, "_on_gpu", on_stand_in)
    return "cuda"


@pytest.fixture
def opened(device: str) -> Opened:
    """Open a model on the device."""

    def open_there(path: Any, **options: Any) -> OnnxSegmenter:
        return OnnxSegmenter.open(path, device=device, threads=1, **options)

    return open_there
