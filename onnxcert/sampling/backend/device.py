"""Noise and vote counts by kernels, on arrays that stay on their device between interim looks.

Device and kernels are arguments, so that all of this also runs without a GPU: on NumPy arrays with
the transcription of the kernels, with identical numbers. Only this file imports CuPy, and only if a
GPU is requested.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final, Self, final

import numpy as np

from onnxcert._typing import Array
from onnxcert.errors import DeviceError
from onnxcert.sampling.backend import vote_counts as counters
from onnxcert.sampling.kernels import (
    GENERATOR,
    OPTIONS,
    Channels,
    Compiled,
    Kernels,
    PhiloxNoise,
    Scores,
    source,
    stream_key,
)

EXTRAS: Final = "onnxcert[cuda13] (or onnxcert[cuda12], for ONNX Runtime up to 1.26)"
_STILL: Final = 0.0


@final
class CupyDevice:
    """Memory of one GPU, as CuPy and ONNX Runtime both see it.

    Noise and counts run on CuPy's current stream; models run on a stream of their own. Events order
    them on the GPU: a model waits for its noise, counts wait for the model, and the next pass of
    the model waits for the counts. So memory that ONNX Runtime or CuPy reuses is never overwritten
    while it is still read.

    Args:
        cupy: the library.
        index: number of the GPU.

    Attributes:
        name: name of the array library.
        xp: the array library.
        place: ONNX Runtime's (name, number) of the device.
        stream: pointer to the stream of the models; 0 if there are no streams.
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
        """Return `array` (NumPy's or the device's) on the device, C-contiguous."""
        self._gpu.use()  # a new thread uses the first GPU by default
        return self.xp.asarray(array, order="C")

    def host(self, array: Any) -> Any:
        """Return `array` (NumPy's or the device's) as a NumPy array, when it is computed."""
        return self.xp.asnumpy(array)

    def pointer(self, array: Array) -> int:
        """Return the address of the first element."""
        return int(array.data.ptr)

    def view(self, pointer: int, shape: tuple[int, ...], dtype: Any, owner: Any) -> Array:
        """Return the C-contiguous array at this address; it keeps `owner` alive."""
        size = dtype.itemsize
        for side in shape:
            size *= side
        memory = self.xp.cuda.UnownedMemory(pointer, size, owner, self.place[1])
        return self.xp.ndarray(shape, dtype, self.xp.cuda.MemoryPointer(memory, 0))

    @contextmanager
    def model_runs(self) -> Iterator[None]:
        """Run a model in the block, after all work queued before and before all queued later."""
        current = self.xp.cuda.get_current_stream()
        self._stream.wait_event(current.record())
        try:
            yield
        finally:
            current.wait_event(self._stream.record())


@dataclass(frozen=True)
class NetworkInput:
    """The network's own input, made from the channels of an input, each on its own.

    Attributes:
        channels: order, factors and offsets of the channels.
        dtype: float32 or float16.
        last: whether channels are its last axis.
    """

    channels: Channels
    dtype: np.dtype[Any]
    last: bool


@final
@dataclass(frozen=True, eq=False)
class DeviceBackend:
    """Backend of a device; see `onnxcert.sampling.backend.Backend`.

    One kernel writes Philox noise as the model's input. Another turns scores into votes and counts
    them where the model left them. The array library counts labels, if a model gives labels. Counts
    stay on the device until they are read.

    Attributes:
        of: the device.
        kernels: the kernels on it.
        network_input: format of the noisy input; None for declared inputs, float32 [B, *shape].
    """

    of: CupyDevice
    kernels: Kernels
    network_input: NetworkInput | None = None

    @property
    def name(self) -> str:
        return self.of.name

    @property
    def generator(self) -> str:
        return GENERATOR

    @property
    def xp(self) -> Any:
        return self.of.xp

    @property
    def threaded(self) -> bool:
        return False

    def for_network_input(self, network_input: NetworkInput) -> Self:
        """Return the same backend, writing the network's own input."""
        order, affine = network_input.channels.order, network_input.channels.affine
        channels = Channels(
            None if order is None else self.device(order),
            None if affine is None else self.device(affine),
        )
        return replace(self, network_input=replace(network_input, channels=channels))

    def noise(self, seed: int, digest: str, indices: range) -> PhiloxNoise:
        return PhiloxNoise(self.kernels, stream_key(seed, digest), indices, self._channels)

    def prepare(self, x: Array, sigma: float) -> Array:  # noqa: ARG002 - the kernel does it
        return x

    def inputs(self, rows: int, shape: tuple[int, ...]) -> Array:
        """Return a view, channels first, of a new batch for the model."""
        network_input = self.network_input
        if network_input is None:
            return self.xp.empty((rows, *shape), dtype=np.float32)
        if not network_input.last:
            return self.xp.empty((rows, *shape), dtype=network_input.dtype)
        channels, *cells = shape
        batch = self.xp.empty((rows, *cells, channels), dtype=network_input.dtype)
        return self.xp.moveaxis(batch, -1, 1)

    def write_clean(self, batch: Array) -> Array:
        """Return declared inputs, float32 [B, c, *cells], as the network's input, without noise."""
        out = self.inputs(batch.shape[0], batch.shape[1:])
        for b in range(batch.shape[0]):
            self.kernels.noise(batch[b], _STILL, (0, 0), 0, out[b : b + 1], self._channels)
        return out

    def device(self, array: Any) -> Array:
        return self.of.to_device(array)

    def host(self, array: Any) -> Any:
        return self.of.host(array)

    def answer(self, found: Any) -> Any:
        # Every pass has its own output memory.
        return found if isinstance(found, Scores) else self.device(found)

    def labels(self, answer: Any) -> Array:
        if not isinstance(answer, Scores):
            return answer
        kind = np.min_scalar_type(max(answer.classes, 2))  # one extra value: invalid
        labels = self.xp.empty(answer.shape, dtype=kind)
        self.kernels.labels(answer, labels)
        return labels

    def select(self, answer: Any, votes: Array) -> Array:
        if not isinstance(answer, Scores):
            counters.select(answer, votes)
            return counters.count_invalid(answer, votes.shape[0])
        invalid = self._zero_invalid()
        self.kernels.select(answer, votes, invalid)
        return _to_count(invalid)

    def match(
        self, answer: Any, candidate: Array, hits: Array, classes: int
    ) -> tuple[Array, Array]:
        if not isinstance(answer, Scores):
            return counters.match(answer, candidate, hits), counters.count_invalid(answer, classes)
        missed = self.xp.zeros(answer.shape[0], dtype=np.uint8)
        invalid = self._zero_invalid()
        self.kernels.match(answer, candidate, hits, missed, invalid)
        return self.xp.count_nonzero(missed == 0), _to_count(invalid)

    @property
    def _channels(self) -> Channels | None:
        return None if self.network_input is None else self.network_input.channels

    def _zero_invalid(self) -> Array:
        return self.xp.zeros(1, dtype=np.uint64)


def _to_count(invalid: Array) -> Array:
    """Return it as an array without axes, of the type of label counts."""
    return invalid.astype(np.int64)[0]


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
