"""Tell the axes of an output apart: batch, classes, components.

The first axis is the batch only if its length is the number of input rows. An output without a
batch axis is accepted if its other axes are exactly the grid of components; each pass then takes
one input. Any other output, such as the boxes of a detector, is not about components.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

from onnxcert.model.contract.base import Contract

Shape = tuple[int, ...]

OFF_GRID: Final = (
    "whose height and width are neither those of the input nor both divided or multiplied by one "
    "whole number; export the model with padding that keeps the size, or add a Resize or crop that "
    "brings the scores to the input's size, or pass --pad-to if this happens only for sizes that "
    "its strides do not divide."
)

_BATCHED: Final = ""  # layout of an output with a batch axis; its order is found later


@final
@dataclass(frozen=True)
class OutputShapes:
    """Shapes of a network's output.

    Attributes:
        grid: Grid of the components as the network sees them, [height, width] or [points].
        one: Shape for one row.
        two: Shape for two rows; None if the network does not take two.
    """

    grid: Shape
    one: Shape
    two: Shape | None

    @property
    def counts_rows(self) -> bool:
        """Whether the length of the first axis is the number of rows, for one row and for two."""
        return self.one[:1] == (1,) and self.two == (2, *self.one[1:])

    @property
    def stacks_rows(self) -> bool:
        """Whether two rows give the output of one row twice, along a new first axis."""
        return self.two == (2, *self.one)


def layouts(shown: OutputShapes, contract: Contract) -> tuple[str, ...]:
    """Return the possible orders of the output's axes; "" is an output with a batch axis.

    None is possible if the output is not about the components; several if it is ambiguous.
    """
    batched = shown.one[:1] == (1,) and holds_components(shown.one, shown.grid, contract)
    if shown.counts_rows:
        return (_BATCHED,) if batched else ()
    if batched and shown.grid[0] != 1:
        return (_BATCHED,)  # the axis of length 1 may be the channel: the output is the same
    single = tuple(name for name in contract.single_layouts if fits(name, shown, contract))
    return (*single, *([_BATCHED] if batched else []))


def fits(layout: str, shown: OutputShapes, contract: Contract) -> bool:
    """Return whether the output for one row has these axes and no batch axis."""
    if len(layout) != len(shown.one):
        return False
    if layout == "C":  # a list of boxes may be as short: require a second sign
        return shown.stacks_rows or len(contract.class_names) == shown.one[0]
    return tuple(n for n, axis in zip(shown.one, layout, strict=True) if axis != "C") == shown.grid


def holds_components(answer: Shape, grid: Shape, contract: Contract) -> bool:
    """Return whether an output with a batch axis can be about the components or the whole input.

    The position of the channel axis, if there is one, is not known yet: two of the other axes must
    be a grid of the input. Boxes of a detector, [batch, boxes, values], are not.
    """
    full = max(contract.ranks)
    if len(answer) not in contract.ranks:
        return False
    if len(grid) == 1:
        return grid[0] in answer[1:] if len(answer) == full else True
    return len(answer) < full - 1 or any(on_grid(side, grid) for side in _sides(answer, contract))


def on_grid(side: Shape, grid: Shape) -> bool:
    """Return whether `side` is [height, width] of the grid, or differs from it by one stride.

    The stride is a whole number by which both lengths are divided (rounded up or down) or
    multiplied. A border that was cropped or added is no stride, nor is an axis that was averaged.
    """
    if side == grid:
        return True
    if len(side) != len(grid) or not all(side):
        return False
    pairs = tuple(zip(side, grid, strict=True))
    if all(n % length == 0 for n, length in pairs):
        return len({n // length for n, length in pairs}) == 1
    steps = range(2, max(grid) + 1)
    return any(all(n in (of // step, -(-of // step)) for n, of in pairs) for step in steps)


def is_off_grid(answer: Shape, rows: int, grid: Shape, contract: Contract) -> bool:
    """Return whether only a wrong height and width exclude an output about the components.

    Not so for height and width in exchanged order, nor for an output without channels of a very
    different size, which may be a list of boxes.
    """
    sides = _sides(answer, contract)
    if len(grid) != 2 or answer[:1] != (rows,) or not sides:
        return False
    if len(answer) == max(contract.ranks):
        return not any(min(side) > 1 and on_grid(side[::-1], grid) for side in sides)
    near = all(grid[i] <= 2 * n <= 4 * grid[i] for i, n in enumerate(sides[0]))
    return near and not on_grid(sides[0][::-1], grid)


def _sides(answer: Shape, contract: Contract) -> tuple[Shape, ...]:
    """Return the possible (height, width) pairs of an output with a batch axis."""
    full = max(contract.ranks)
    if len(answer) == full:
        return answer[2:], answer[1:-1]
    return (answer[1:],) if len(answer) == full - 1 else ()


def channels_and_grid(answer: Shape, contract: Contract) -> tuple[int, Shape]:
    """Return (number of channels, grid) of an output."""
    rest = answer if contract.single else answer[1:]
    if contract.answer_rank < max(contract.ranks) and not contract.classifies:
        return 1, rest
    if not rest:
        return 1, ()
    return (rest[-1], rest[:-1]) if contract.channels_last else (rest[0], rest[1:])


def matches_contract(answer: Shape, rows: int, grid: Shape, contract: Contract) -> bool:
    """Return whether the output for `rows` rows has the axes that the contract gives."""
    if contract.single:
        alone = contract.output_layout == "C" and len(answer) == 1
        return alone or fits(contract.output_layout, OutputShapes(grid, answer, None), contract)
    if len(answer) != contract.output_rank or answer[:1] != (rows,):
        return False
    if contract.classifies:
        return len(answer) != 4 or set(channels_and_grid(answer, contract)[1]) == {1}
    if len(grid) == 1:
        return holds_components(answer, grid, contract)
    return on_grid(channels_and_grid(answer, contract)[1], grid)
