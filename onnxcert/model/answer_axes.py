"""Which axis of an answer is which: the batch, the classes, the components.

The first axis is the batch only if it is as long as the rows that went in. An answer without a
batch axis is read where its other axes are the grid of components, exactly; then a pass takes one
input. Anything else, such as the boxes of a detector, is no answer about components.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

from onnxcert.model.contract import Contract

Shape = tuple[int, ...]

OFF_GRID: Final = (
    "whose height and width are neither those of the input nor both divided or multiplied by one "
    "whole number; export it with padding that keeps the size, or with a Resize or crop in the "
    "graph that brings the scores to the input's size, or pass --pad-to if only sizes that its "
    "strides do not divide come out so."
)

_BATCHED: Final = ""  # the layout of an answer with a batch axis, which the graph tells further on


@final
@dataclass(frozen=True)
class Shown:
    """Shapes of a network's answers.

    Attributes:
        grid: of the components as the network sees them, [height, width] or [points].
        one: to one row.
        two: to two rows; None where the network does not take two.
    """

    grid: Shape
    one: Shape
    two: Shape | None

    @property
    def counts_rows(self) -> bool:
        """Whether the first axis is the rows that went in, of one row and of two."""
        return self.one[:1] == (1,) and self.two == (2, *self.one[1:])

    @property
    def stacks_rows(self) -> bool:
        """Whether two rows give two answers like that to one row, along an axis of their own."""
        return self.two == (2, *self.one)


def layouts(shown: Shown, contract: Contract) -> tuple[str, ...]:
    """The orders of axes in which the answer can be read; "" stands for one with a batch axis.

    Without any where the answer is not about the components; several where it is not clear.
    """
    batched = shown.one[:1] == (1,) and holds_components(shown.one, shown.grid, contract)
    if shown.counts_rows:
        return (_BATCHED,) if batched else ()
    if batched and shown.grid[0] != 1:
        return (_BATCHED,)  # the one row may be the one channel: it is the same answer
    single = tuple(name for name in contract.single_layouts if fits(name, shown, contract))
    return (*single, *([_BATCHED] if batched else []))


def fits(layout: str, shown: Shown, contract: Contract) -> bool:
    """Whether the answer to one row has these axes and no batch axis."""
    if len(layout) != len(shown.one):
        return False
    if layout == "C":  # as short as a list of boxes, so that something must tell
        return shown.stacks_rows or len(contract.class_names) == shown.one[0]
    return tuple(n for n, axis in zip(shown.one, layout, strict=True) if axis != "C") == shown.grid


def holds_components(answer: Shape, grid: Shape, contract: Contract) -> bool:
    """Whether an answer with a batch axis can be about the components, or the whole input.

    With an axis of channels, of which nobody knows yet where it is, some two others must be a grid
    of the input's; boxes of a detector, [batch, boxes, values], are none.
    """
    full = max(contract.ranks)
    if len(answer) not in contract.ranks:
        return False
    if len(grid) == 1:
        return grid[0] in answer[1:] if len(answer) == full else True
    return len(answer) < full - 1 or any(on_grid(side, grid) for side in _sides(answer, contract))


def on_grid(side: Shape, grid: Shape) -> bool:
    """Whether `side` is [height, width] of the grid, or one step along both axes leads to it.

    The step is a whole number by which the grid's lengths are divided, rounded up or down, or by
    which they are multiplied. So a border that was cut off or added on is none, nor is an axis that
    was averaged away.
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
    """Whether only height and width keep an answer from being about the components.

    Neither such as have changed places, nor an answer without channels of quite another size, which
    may be a list of boxes.
    """
    sides = _sides(answer, contract)
    if len(grid) != 2 or answer[:1] != (rows,) or not sides:
        return False
    if len(answer) == max(contract.ranks):
        return not any(min(side) > 1 and on_grid(side[::-1], grid) for side in sides)
    near = all(grid[i] <= 2 * n <= 4 * grid[i] for i, n in enumerate(sides[0]))
    return near and not on_grid(sides[0][::-1], grid)


def _sides(answer: Shape, contract: Contract) -> tuple[Shape, ...]:
    """What may be the height and the width of an answer with a batch axis."""
    full = max(contract.ranks)
    if len(answer) == full:
        return answer[2:], answer[1:-1]
    return (answer[1:],) if len(answer) == full - 1 else ()


def channels_and_grid(answer: Shape, contract: Contract) -> tuple[int, Shape]:
    """How many channels an answer has, and the grid it has them on."""
    rest = answer if contract.single else answer[1:]
    if contract.answer_rank < max(contract.ranks) and not contract.classifies:
        return 1, rest
    if not rest:
        return 1, ()
    return (rest[-1], rest[:-1]) if contract.channels_last else (rest[0], rest[1:])


def is_as_said(answer: Shape, rows: int, grid: Shape, contract: Contract) -> bool:
    """Whether the answer to so many rows has the axes that the contract says."""
    if contract.single:
        alone = contract.output_layout == "C" and len(answer) == 1
        return alone or fits(contract.output_layout, Shown(grid, answer, None), contract)
    if len(answer) != contract.output_rank or answer[:1] != (rows,):
        return False
    if contract.classifies:
        return len(answer) != 4 or set(channels_and_grid(answer, contract)[1]) == {1}
    if len(grid) == 1:
        return holds_components(answer, grid, contract)
    return on_grid(channels_and_grid(answer, contract)[1], grid)
