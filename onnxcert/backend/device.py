"""Noise and counts by kernels, on arrays that never leave their device between two looks.

The device and the kernels are arguments, so that all of this runs without a GPU, too: on NumPy's
arrays with the transcription of the kernels, number for number.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol, Self, final

import numpy as np

from onnxcert import counters
from onnxcert._typing import Array, LevelArray
from onnxcert.kernels import (
    GENERATOR,
    Channels,
    Kernels,
    PhiloxNoise,
    Scores,
    stream_key,
)

_STILL: Final = 0.0


class Device(Protocol):
    """Memory of one device, as one array library and ONNX Runtime both see it."""

    @property
    def name(self) -> str:
        """Of the array library: `cupy`."""
        ...

    @property
    def xp(self) -> Any:
        """The array library."""
        ...

    @property
    def place(self) -> tuple[str, int]:
        """ONNX Runtime's name and number of it: ("cuda", 0)."""
        ...

    @property
    def stream(self) -> int:
        """Pointer to the stream that models run on; 0 where there are none."""
        ...

    def own(self, array: Any) -> Array:
        """`array`, NumPy's or of this device, as one of this device, C-contiguous."""
        ...

    def host(self, array: Any) -> Any:
        """`array`, NumPy's or of this device, as NumPy's, when all that it waits for is done."""
        ...

    def pointer(self, array: Array) -> int:
        """Address of its first element."""
        ...

    def view(self, pointer: int, shape: tuple[int, ...], dtype: Any, owner: Any) -> Array:
        """The C-contiguous array at this address, which keeps `owner` alive."""
        ...

    def model_runs(self) -> AbstractContextManager[None]:
        """Within it a model is run: after all that was asked for before, and before all that is
        asked for afterwards."""
        ...


@dataclass(frozen=True)
class NetworkInput:
    """The own input of a network that is made of an input's channels, each by itself.

    Attributes:
        channels: which, and their factors and offsets.
        dtype: float32 or float16.
        last: whether channels are its last axis.
    """

    channels: Channels
    dtype: np.dtype[Any]
    last: bool


@final
@dataclass(frozen=True, eq=False)
class DeviceBackend:
    """Arrays of a device; see `onnxcert.backend.Backend`.

    Noise is Philox in one kernel that writes what the model reads. Scores become votes, and votes
    counts, in another that reads them where the model left them. Labels, where a model gives these,
    are counted by the array library. Counts stay where they are until somebody looks at them.

    Attributes:
        of: the device. kernels: what runs on it.
        network_input: what noise is written as; None: as declared, float32 [B, *shape].
    """

    of: Device
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

    def writing(self, network_input: NetworkInput) -> Self:
        """The same backend, which writes the network's own input."""
        order, affine = network_input.channels.order, network_input.channels.affine
        channels = Channels(
            None if order is None else self.device(order),
            None if affine is None else self.device(affine),
        )
        return replace(self, network_input=replace(network_input, channels=channels))

    def noise(self, seed: int, digest: str, indices: range) -> _Noise:
        drawn = PhiloxNoise(self.kernels, stream_key(seed, digest), indices)
        return _Noise(drawn, self._channels)

    def prepare(self, x: Array, sigma: float) -> Array:  # noqa: ARG002 - the kernel does it
        return x

    def inputs(self, rows: int, shape: tuple[int, ...]) -> Array:
        """A view, channels first, of what the model reads."""
        made = self.network_input
        if made is None:
            return self.xp.empty((rows, *shape), dtype=np.float32)
        if not made.last:
            return self.xp.empty((rows, *shape), dtype=made.dtype)
        channels, *cells = shape
        batch = self.xp.empty((rows, *cells, channels), dtype=made.dtype)
        return self.xp.moveaxis(batch, -1, 1)

    def written(self, batch: Array) -> Array:
        """Declared inputs, float32 [B, c, *cells], as the model reads them: noise of no size."""
        out = self.inputs(batch.shape[0], batch.shape[1:])
        for b in range(batch.shape[0]):
            self.kernels.noise(batch[b], _STILL, (0, 0), 0, out[b : b + 1], self._channels)
        return out

    def device(self, array: Any) -> Array:
        return self.of.own(array)

    def host(self, array: Any) -> Any:
        return self.of.host(array)

    def answer(self, found: Any) -> Any:
        # Every pass leaves its answer in memory of its own.
        return found if isinstance(found, Scores) else self.device(found)

    def labels(self, answer: Any) -> Array:
        if not isinstance(answer, Scores):
            return answer
        kind = np.min_scalar_type(max(answer.classes, 2))  # one value more, for no vote
        labels = self.xp.empty(answer.shape, dtype=kind)
        self.kernels.labels(answer, labels)
        return labels

    def select(self, answer: Any, votes: Array) -> Array:
        if not isinstance(answer, Scores):
            counters.select(answer, votes)
            return counters.withheld(answer, votes.shape[0])
        withheld = self._none_withheld()
        self.kernels.select(answer, votes, withheld)
        return _number(withheld)

    def match(
        self, answer: Any, candidate: Array, hits: Array, classes: int
    ) -> tuple[Array, Array]:
        if not isinstance(answer, Scores):
            return counters.match(answer, candidate, hits), counters.withheld(answer, classes)
        missed = self.xp.zeros(answer.shape[0], dtype=np.uint8)
        withheld = self._none_withheld()
        self.kernels.match(answer, candidate, hits, missed, withheld)
        return self.xp.count_nonzero(missed == 0), _number(withheld)

    @property
    def _channels(self) -> Channels | None:
        return None if self.network_input is None else self.network_input.channels

    def _none_withheld(self) -> Array:
        return self.xp.zeros(1, dtype=np.uint64)


def _number(withheld: Array) -> Array:
    """As an array without axes of the type that counts of labels have."""
    return withheld.astype(np.int64)[0]


@final
@dataclass(frozen=True)
class _Noise:
    """Noise that is written through the channels of a network; see `onnxcert._typing.Noise`."""

    drawn: PhiloxNoise
    channels: Channels | None

    def __len__(self) -> int:
        return len(self.drawn)

    def add_normal(self, x: Array, sigma: float, out: Array) -> None:
        self.drawn.add_normal(x, sigma, out, self.channels)

    def normals(self, count: int) -> LevelArray:
        return self.drawn.normals(count)

    def offsets(self) -> LevelArray:
        return self.drawn.offsets()
