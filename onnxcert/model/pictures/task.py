"""Detect whether a model labels each pixel or the whole image."""

from __future__ import annotations

from onnxcert.errors import ContractError
from onnxcert.model.pictures.contract import ImageContract
from onnxcert.model.proposal import GRAPH, fill_missing, source_label
from onnxcert.model.tracing import Axes, describe, lengths


def with_task(
    contract: ImageContract, name: str, shape: Axes | None, grid: Axes | None
) -> ImageContract:
    """Return `contract` with its task.

    An output without height and width classifies the image. So does an output of 1 x 1 cell, as of
    classifiers that end in a convolution, unless images have one pixel.

    Args:
        contract: Contract with the names and ranks of input and output.
        name: The output.
        shape: Shape of the output with a batch axis, or None if unknown.
        grid: Height and width of the input.

    Raises:
        ContractError: The contract has another task.
    """
    rank = contract.answer_rank
    if rank < 3:
        found, why = "classification", f"{GRAPH}: the output has no height and width"
    elif _one_cell(contract, shape) and grid != (1, 1):
        found, why = "classification", f"{GRAPH}: the output has one cell"
    else:
        found, why = "segmentation", f"{GRAPH}: the output has height and width"
    requested = contract.task if "task" in contract.sources else found
    free = shape is None or None in lengths(shape)[1:]
    # One cell can be a label map, too; whether free sides are one cell is seen in the run.
    possible = rank > 2 if requested == "segmentation" else rank == 4 and free
    if requested != found and not possible:
        raise ContractError(
            f"{source_label(contract, 'task')} says {requested}, but the output {name!r} "
            f"{describe(shape)} is one of {found}; correct the one that is wrong."
        )
    return fill_missing(contract, {"task": found}, why)


def _one_cell(contract: ImageContract, shape: Axes | None) -> bool:
    if shape is None or len(shape) != 4:
        return False
    sides = {"NCHW": shape[2:], "NHWC": shape[1:3]}
    if contract.single:
        return False
    if "output_layout" in contract.sources:
        return sides[contract.output_layout] == (1, 1)
    return (1, 1) in sides.values()
