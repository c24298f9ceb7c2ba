"""Create the adapter for a contract."""

from __future__ import annotations

from onnxcert.errors import ParameterError
from onnxcert.model.adapter.base import Adapter
from onnxcert.model.adapter.image import ImageAdapter
from onnxcert.model.adapter.points import PointAdapter
from onnxcert.model.adapter.resize import Fit
from onnxcert.model.contract.base import Contract
from onnxcert.model.contract.image import ImageContract
from onnxcert.model.contract.points import PointContract


def make_adapter(contract: Contract, *, fit: Fit | None = None, fill: bool = False) -> Adapter:
    """Return the adapter for a model with this contract.

    Args:
        contract: The contract of the model.
        fit: Resizing and padding of images; by default to the published size, or padding to the
            multiple that the model needs.
        fill: Whether points are repeated if a shape has fewer than the model takes.

    Raises:
        ParameterError: An option is for models of another modality.
    """
    if isinstance(contract, PointContract):
        if fit not in (None, Fit()):
            raise ParameterError(
                "--scale, --size, --resize, --pad-to, --grid, --scales, --flip and --tile are for "
                "images, but the model takes points; leave them out."
            )
        return PointAdapter(contract, fill)
    if fill:
        raise ParameterError("--fill is for points, but the model takes images; leave it out.")
    assert isinstance(contract, ImageContract)
    usual = Fit(size=contract.usual_size, pad_to=contract.multiple or 1)
    return ImageAdapter(contract, fit or usual)
