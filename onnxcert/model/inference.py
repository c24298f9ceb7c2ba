"""The contract of a file: its metadata, completed by the graph, overridden by the user.

What the graph says is proposed with its reason. Where two readings are possible, neither is taken:
the error shows the flags for both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from onnxcert.errors import ContractError
from onnxcert.model.contract import METADATA_KEY, Contract
from onnxcert.model.graph import ModelFile
from onnxcert.model.input_inference import with_feeds, with_input
from onnxcert.model.output_inference import with_output
from onnxcert.model.proposal import filled

METADATA = "the file's metadata"
FLAG = "given"


def infer(
    model: ModelFile, given: Mapping[str, Any] | None = None, *, settle: bool = True
) -> Contract:
    """The contract of `model`: its metadata, completed by the graph, overridden by `given`.

    Args:
        model: the file.
        given: fields of `Contract` by name, as the user gave them; None values are ignored.
        settle: whether a value range that nobody said is refused, or left open.

    Raises:
        ContractError: a field is missing, ambiguous, contradictory or not supported.
    """
    said = {name: value for name, value in (given or {}).items() if value is not None}
    for name in ("input", "output"):
        if said.get(name) == "":
            raise ContractError(f"--{name} must be a name, got none; name one of the graph's.")
    text = model.metadata.get(METADATA_KEY)
    try:
        contract = Contract() if text is None else Contract.from_json(text, source=METADATA)
        contract = contract.override(FLAG, **said)
        contract = with_input(contract, model.proto.graph)
        contract = with_feeds(contract, model.proto.graph)
        contract = with_output(contract, model.proto)
        return settled_range(contract) if settle else contract
    except ContractError as error:
        raise ContractError(f"{model.path}: {error}") from None


def settled_range(contract: Contract) -> Contract:
    """`contract` with its value range, taken from the type, mean and std if need be.

    Raises:
        ContractError: nobody said it and they do not tell.
    """
    if contract.value_range is not None:
        return contract
    if not contract.mean and not contract.std:
        if contract.dtype == "uint8":
            return filled(contract, {"value_range": (0.0, 255.0)}, "the uint8 input")
        if contract.dtype == "int8":
            raise ContractError(
                "nothing says which values of the int8 input black and white are; pass --range "
                "-128,127 or --range 0,127."
            )
        raise ContractError(
            "nothing says which pixel values the model was trained on; pass --range 0,1 or --range "
            "0,255 or --range -1,1 for plain pixels, or --mean and --std if they are normalised."
        )
    within_one = all(0 <= v <= 1 for v in contract.mean) and all(v <= 1 for v in contract.std)
    if not any(contract.mean) and all(v == 1 for v in contract.std):
        within_one = False  # nothing is subtracted or divided by, so nothing is said
    above_one = bool(contract.mean) and all(v > 1 for v in contract.mean)
    if within_one:
        return filled(contract, {"value_range": (0.0, 1.0)}, "mean and std, none above 1")
    if above_one and all(v >= 1 for v in contract.std):
        return filled(contract, {"value_range": (0.0, 255.0)}, "mean and std, all above 1")
    raise ContractError(
        f"mean {_numbers(contract.mean)} and std {_numbers(contract.std)} do not tell whether they "
        "apply to pixels in [0, 1] or in [0, 255]; pass --range 0,1 or --range 0,255 as well."
    )


def _numbers(values: Sequence[float]) -> str:
    return ",".join(f"{v:g}" for v in values) or "(none)"
