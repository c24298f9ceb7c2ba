"""Build ONNX nodes, with names that no exported graph uses."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

_BILINEAR: Final = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
_NEAREST: Final = {"mode": "nearest", "coordinate_transformation_mode": "half_pixel"}


class Nodes:
    """A list of nodes and constants; each method adds some and returns the result's name."""

    def __init__(self, prefix: str) -> None:
        self.prefix = f"onnxcert_{prefix}"
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Add an operator with one output."""
        output = output or f"{self.prefix}_{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(operator, list(inputs), [output], name=output, **attributes)
        )
        return output

    def constant(self, value: npt.ArrayLike, dtype: npt.DTypeLike = np.int64) -> str:
        """Add a constant tensor, int64 by default."""
        name = f"{self.prefix}_constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype=dtype), name))
        return name

    def cast(self, source: str, kind: npt.DTypeLike, output: str = "") -> str:
        """Convert `source` to another element type."""
        to = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
        return self.add("Cast", source, to=to, output=output)

    def axes(self, source: str, start: int, stop: int) -> str:
        """Compute the lengths of the axes start .. stop - 1 of `source`; int64 [stop - start]."""
        shape = self.add("Shape", source)
        return self.add("Slice", shape, self.constant([start]), self.constant([stop]))

    def slice(self, source: str, start: int, stop: int | None, *, axis: int) -> str:
        """Slice `source` from `start` to `stop` (None: to its end) along one axis."""
        end = np.iinfo(np.int64).max if stop is None else stop
        ends = (self.constant([value]) for value in (start, end, axis))
        return self.add("Slice", source, *ends)

    def resize(self, source: str, size: str, *, nearest: bool = False) -> str:
        """Resize `source` [B, C, h, w] to `size`, int64 [2].

        Bilinear with half-pixel centres and no antialiasing, the default of training frameworks;
        `nearest` for values that cannot be averaged.
        """
        sizes = self.add("Concat", self.axes(source, 0, 2), size, axis=0)
        return self.add("Resize", source, "", "", sizes, **(_NEAREST if nearest else _BILINEAR))
