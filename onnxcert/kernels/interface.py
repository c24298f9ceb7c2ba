"""What the kernels do, whoever runs them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, Self

from onnxcert._typing import Array
from onnxcert.kernels.philox import Key


@dataclass(frozen=True)
class Channels:
    """How the channels of the network follow from those of the input.

    Attributes:
        order: int32 [c], the input's channel that each of the network's is made of; None: as they
            are. One channel may serve many times, with the same noise.
        affine: float32 [2, c], a factor and an offset for each channel of the network; None: none.
    """

    order: Array | None = None
    affine: Array | None = None


@dataclass(frozen=True)
class Scores:
    """Scores of a batch, where the model left them, and how they become votes.

    Only an argmax over classes and one score against a threshold are votes here. Labels that do
    not exclude each other, class indices and classes ruled out for some inputs are not.

    Attributes:
        values: float32 or float16 [B, classes, h, w], [B, classes, N] or [B, classes], with any
            strides: of channels-last scores, pass the transposed view.
        grid: shape of the components, (H, W), (N,) or (1,). Where it is not that of `values`, both
            have two axes and the scores are interpolated.
        threshold: vote for class 1 above it and 0 otherwise, with one score a component; None: the
            class of the largest score, the first of equals.
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
        """[B, *grid], that of the labels."""
        return (int(self.values.shape[0]), *self.grid)

    def __getitem__(self, rows: slice) -> Self:
        """The scores of some draws."""
        return replace(self, values=self.values[rows])

    @property
    def classes(self) -> int:
        """How many classes may be voted for."""
        return int(self.values.shape[1]) if self.threshold is None else 2

    @property
    def interpolated(self) -> bool:
        """Whether the scores lie on another grid than the components."""
        return (tuple(self.values.shape[2:]) or (1,)) != tuple(self.grid)


class Kernels(Protocol):
    """Noise and votes on the arrays of one library.

    A component of which any score is not finite (or the sum over its classes, in float32) has no
    vote. Counters, labels and candidates are uint8, uint16 or uint32 and C-contiguous, wide enough
    for what they will hold.
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
        """Write the grid point nearest to x + sigma z into each row of `out`; row b has the normals
        of draw first + b.

        The grid is that of `onnxcert.kernels.grid_step`. With sigma 0, x is written as it is.
        Product and sum of `channels`, which come after, are rounded each in float32.

        Args:
            x: float32, C-contiguous; [C, *cells] where there are `channels`.
            out: float32 or float16 [B, *x.shape], or [B, c, *cells] where there are `channels`,
                with any strides from which all cells can be reached in equal steps: of a
                channels-last buffer, pass the transposed view.
        """
        ...

    def labels(self, scores: Scores, out: Array) -> None:
        """Write the votes into `out` [B, *grid]; the largest value of its type is no vote."""
        ...

    def select(self, scores: Scores, votes: Array, withheld: Array) -> None:
        """Add the votes for each class to `votes` [classes, *grid].

        Args:
            withheld: uint64 [1]; how many votes were withheld is added to it.
        """
        ...

    def match(
        self, scores: Scores, candidate: Array, hits: Array, missed: Array, withheld: Array
    ) -> None:
        """Add the votes for the candidate [*grid] to `hits` [*grid].

        Args:
            missed: uint8 [B], zeros; becomes 1 for each draw in which any component did not vote
                for its candidate.
            withheld: uint64 [1]; how many votes were withheld is added to it.
        """
        ...
