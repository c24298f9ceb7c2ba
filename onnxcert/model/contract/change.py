"""The change with few parameters that fits a contract, or one sentence why none does."""

from __future__ import annotations

from onnxcert._typing import Perturbation
from onnxcert.errors import ParameterError
from onnxcert.model.contract.base import Contract
from onnxcert.model.contract.image import ImageContract
from onnxcert.model.contract.points import PointContract
from onnxcert.perturbation import Exposure, OnChannels
from onnxcert.perturbation.semantic import CloudChange, ImageChange, Semantic


def make_change(kind: type[Semantic], sigma: float | None, contract: Contract) -> Perturbation:
    """Return a change of the inputs of a model with this contract.

    Args:
        kind: a change with few parameters.
        sigma: its strength; no model stores one.
        contract: the contract of the model.

    Raises:
        ParameterError: the change is for other inputs, the contract undoes it, or sigma is missing
            or out of range.
    """
    refuse_unfit(kind, contract)
    if sigma is None:
        raise ParameterError(
            f"--perturbation {kind.name} needs the strength of the noise; give --sigma, e.g. "
            f"--sigma {kind.usual:g} ({kind.unit or 'in the unit of the coordinates'})."
        )
    change: Perturbation = kind(**{"sigma": sigma})
    if isinstance(contract, PointContract) and contract.declared_channels > 3:
        return OnChannels(change, 0, 3, "the coordinates")
    return change


def refuse_unfit(kind: type[Perturbation], contract: Contract) -> None:
    """Raise ParameterError if a change is for other inputs, or the contract undoes it."""
    if not issubclass(kind, Semantic):
        return
    takes_points = isinstance(contract, PointContract)
    if issubclass(kind, ImageChange if takes_points else CloudChange):
        raise ParameterError(
            f"{kind.name} is for {'images' if takes_points else 'point clouds'}, but the model "
            f"takes {'point clouds' if takes_points else 'images'}; choose another --perturbation."
        )
    if isinstance(contract, ImageContract) and contract.bands and kind is Exposure:
        raise ParameterError(
            "exposure needs colour or grey images, which the sRGB curve linearises, but the model "
            "takes bands; use --perturbation gain."
        )
    if isinstance(contract, PointContract) and contract.frame != "own":
        raise ParameterError(
            f"the model's frame {contract.frame} removes every {kind.name} before the noise, so "
            "there is nothing to certify; use a model with the frame own, or another "
            "--perturbation."
        )
