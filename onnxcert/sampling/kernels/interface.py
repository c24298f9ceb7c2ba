"""Interface of the kernels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, Self

from onnxcert._typing import Array

Key = tuple[int, int]


@dataclass(frozen=True)
class Channels:
    """Mapping from the channels of an input to those of the network.

    Attributes:
        order: int32 [c], the input channel of each network channel; None for the identity. Channels
            made from the same input channel have the same noise.
        affine: float32 [2, c], a factor and an offset of each network channel; None for none.
    """

    order: Array | None = None
    affine: Array | None = None


@dataclass(frozen=True)
class Scores:
    """Scores of a batch, where the model left them, and how they become votes.

    Supported votes are an argmax over classes, and one score against a threshold; not multi-label
    outputs, class indices, or classes excluded for some inputs.

    Attributes:
        values: float32 or float16 [B, classes, h, w], [B, classes, N] or [B, classes], with any
            strides: for channels-last scores pass the transposed view.
        grid: shape of the components, (H, W), (N,) or (1,). If it differs from that of `values`,
            both have two axes and the scores are interpolated.
        threshold: with one score per component, vote for class 1 above it and for 0 otherwise; None
            votes for the class of the largest score, the first one of a tie.
    """

    values: Array
    grid: tuple[int, ...]
    threshold: float | None = None

    def __post_init__(self) -> None:
        shape = tuple(self.values.shape)
        cells = shape[2:] or (1,)
        one = self.threshold is None or shape[1:2] == (1,)
        same_axes = len(cells) == len(self.grid) and 1 <= len(cells) <= 2
        if not (one and same_axes and (len(cells) == 2 or cells == self.grid)):
            raise ValueError(
                f"scores of shape {shape} have no votes on the grid {self.grid} "
                f"with the threshold {self.threshold}."
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the labels, [B, *grid]."""
        return (int(self.values.shape[0]), *self.grid)

    def __getitem__(self, rows: slice) -> Self:
        """Return the scores of some draws."""
        return replace(self, values=self.values[rows])

    @property
    def classes(self) -> int:
        """Number of classes that a vote can name."""
        return int(self.values.shape[1]) if self.threshold is None else 2

    @property
    def interpolated(self) -> bool:
        """Whether the scores have another grid than the components."""
        return (tuple(self.values.shape[2:]) or (1,)) != tuple(self.grid)


class Kernels(Protocol):
    """Noise and votes on the arrays of one library.

    A prediction is invalid (no vote) if a score, or the float32 sum over the classes, is not
    finite. Counters, labels and candidates are uint8, uint16 or uint32, C-contiguous and wide
    enough for their values.
    """

    def noise(
        self,
        x: Array,
        sigma: float,
        key: Key,
        first: int,
        out: Array,
        channels: Channels | None = None,
    ) -> None:
        """Write the grid point nearest to x + sigma z into each row of `out`.

        Row b has the normals of draw first + b. The grid is that of
        `onnxcert.sampling.kernels.grid_step`. With sigma 0, x is written unchanged. Product and
        sum of `channels` follow, each rounded in float32.

        Args:
            x: float32, C-contiguous; [C, *cells] with `channels`.
            sigma: standard deviation of the noise.
            key: key of the Philox stream.
            first: number of the first draw.
            out: float32 or float16 [B, *x.shape], or [B, c, *cells] with `channels`, with strides
                that reach all cells in equal steps: for channels-last pass the transposed view.
            channels: the network's channels; None for those of x.
        """
        ...

    def labels(self, scores: Scores, out: Array) -> None:
        """Write the votes into `out` [B, *grid]; the largest value of its type is invalid."""
        ...

    def select(self, scores: Scores, votes: Array, invalid: Array) -> None:
        """Add the votes for each class to `votes` [classes, *grid].

        The number of invalid predictions is added to `invalid`, uint64 [1].
        """
        ...

    def match(
        self, scores: Scores, candidate: Array, hits: Array, missed: Array, invalid: Array
    ) -> None:
        """Add the votes for the candidate [*grid] to `hits` [*grid].

        `missed`, uint8 [B], zeros, becomes 1 for each draw in which a component did not vote for
        its candidate. The number of invalid predictions is added to `invalid`, uint64 [1].
        """
        ...
