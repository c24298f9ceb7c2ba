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

    One without an axis of channels must have the grid itself, or another of its proportions; boxes
    of a detector, [batch, boxes, values], do not. Nor may height and width have changed places.
    """
    full = max(contract.ranks)
    if len(answer) not in contract.ranks:
        return False
    if len(answer) == full - 1 and len(grid) > 1:
        return proportional(answer[1:], grid)
    if len(answer) == full and len(grid) == 1:
        return grid[0] in answer[1:]
    if len(answer) == full:
        sides = (answer[2:], answer[1:-1])
        turned = any(proportional(side[::-1], grid) for side in sides)
        return not turned or any(proportional(side, grid) for side in sides)
    return True


def proportional(side: Shape, grid: Shape) -> bool:
    """Whether one step leads from the grid to `side` along every axis, rounded up or down, or one
    border was cut off all around."""
    if not all(side):
        return False
    borders = {long - short for short, long in zip(side, grid, strict=True)}
    if len(borders) == 1 and borders.pop() >= 0:
        return True
    low, high = 0.0, float("inf")
    for short, long in zip(side, grid, strict=True):
        low = max(low, long / (short + 1))
        high = min(high, long / (short - 1) if short > 1 else float("inf"))
    return low <= high


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
    return contract.classifies or holds_components(answer, grid, contract)
