"""Whether a model labels each pixel or the whole picture."""

from __future__ import annotations

from onnxcert.errors import ContractError
from onnxcert.model.pictures.contract import PictureContract
from onnxcert.model.proposal import GRAPH, filled, sayer
from onnxcert.model.tracing import Axes, lengths, shown


def with_task(
    contract: PictureContract, name: str, shape: Axes | None, grid: Axes | None
) -> PictureContract:
    """`contract` with its task.

    An output without height and width classifies the picture, and so does one of 1 x 1 cell, as
    classifiers that end in a convolution have, unless pictures have one pixel themselves.

    Args:
        contract: with the names and ranks of input and output.
        name: of the output.
        shape: of the output with a batch axis, or None where nobody knows.
        grid: height and width of the input.

    Raises:
        ContractError: the contract says otherwise.
    """
    rank = contract.answer_rank
    if rank < 3:
        found, why = "classification", f"{GRAPH}: the output has no height and width"
    elif _one_cell(contract, shape) and grid != (1, 1):
        found, why = "classification", f"{GRAPH}: the output has one cell"
    else:
        found, why = "segmentation", f"{GRAPH}: the output has height and width"
    said = contract.task if "task" in contract.sources else found
    free = shape is None or None in lengths(shape)[1:]
    # One cell is a label map as well, and whether free sides are one cell shows in the run.
    possible = rank > 2 if said == "segmentation" else rank == 4 and free
    if said != found and not possible:
        raise ContractError(
            f"{sayer(contract, 'task')} says {said}, but the output {name!r} {shown(shape)} is one "
            f"of {found}; correct the one that is wrong."
        )
    return filled(contract, {"task": found}, why)


def _one_cell(contract: PictureContract, shape: Axes | None) -> bool:
    if shape is None or len(shape) != 4:
        return False
    sides = {"NCHW": shape[2:], "NHWC": shape[1:3]}
    if contract.single:
        return False
    if "output_layout" in contract.sources:
        return sides[contract.output_layout] == (1, 1)
    return (1, 1) in sides.values()
