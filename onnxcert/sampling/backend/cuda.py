"""GPU backend by CuPy: the only file that imports CuPy, and only if a GPU is requested."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final, final

from onnxcert._typing import Array
from onnxcert.errors import DeviceError
from onnxcert.sampling.backend.device import DeviceBackend
from onnxcert.sampling.kernels import OPTIONS, Compiled, source

EXTRAS: Final = "onnxcert[cuda13] (or onnxcert[cuda12], for ONNX Runtime up to 1.26)"


@cache
def cuda_backend(index: int) -> DeviceBackend:
    """Return the backend of the GPU with this number, one for all models of this process.

    Raises:
        DeviceError: CuPy is not installed, or cannot use the GPU.
    """
    try:
        import cupy
    except ImportError as error:
        raise DeviceError(f"noise on a GPU needs CuPy ({error}); install {EXTRAS}.") from None
    try:
        device = CupyDevice(cupy, index)
        module = cupy.RawModule(code=source(), options=OPTIONS)
        module.compile()
    except Exception as error:  # of a driver, a runtime or a compiler
        line = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(". ")
        raise DeviceError(
            f"CuPy cannot use the GPU {index} ({line[:300]}); install {EXTRAS} and a driver for "
            "it, or use --device cpu."
        ) from None
    return DeviceBackend(device, Compiled(module))


@final
class CupyDevice:
    """Memory of one GPU; see `onnxcert.sampling.backend.Device`.

    Noise and counts run on CuPy's current stream; models run on a stream of their own. Events order
    them on the GPU: a model waits for its noise, counts wait for the model, and the next pass of
    the model waits for the counts. So memory that ONNX Runtime or CuPy reuses is never overwritten
    while it is still read.

    Args:
        cupy: the library.
        index: number of the GPU.
    """

    name: Final = "cupy"

    def __init__(self, cupy: Any, index: int) -> None:
        self.xp: Final = cupy
        self.place: Final = ("cuda", index)
        self._gpu = cupy.cuda.Device(index)
        self._gpu.use()
        # The default stream has a null pointer, which ONNX Runtime treats as no stream.
        self._stream = cupy.cuda.Stream(non_blocking=True)
        self.stream: Final = int(self._stream.ptr)

    def to_device(self, array: Any) -> Array:
        self._gpu.use()  # a new thread uses the first GPU by default
        return self.xp.asarray(array, order="C")

    def host(self, array: Any) -> Any:
        return self.xp.asnumpy(array)

    def pointer(self, array: Array) -> int:
        return int(array.data.ptr)

    def view(self, pointer: int, shape: tuple[int, ...], dtype: Any, owner: Any) -> Array:
        size = dtype.itemsize
        for side in shape:
            size *= side
        memory = self.xp.cuda.UnownedMemory(pointer, size, owner, self.place[1])
        return self.xp.ndarray(shape, dtype, self.xp.cuda.MemoryPointer(memory, 0))

    @contextmanager
    def model_runs(self) -> Iterator[None]:
        current = self.xp.cuda.get_current_stream()
        self._stream.wait_event(current.record())
        try:
            yield
        finally:
            current.wait_event(self._stream.record())
