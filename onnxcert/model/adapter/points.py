"""The adapter between point clouds and a network's input and output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import numpy as np
import onnx
from onnx import TensorProto, helper

from onnxcert._typing import FloatArray, IntArray, Perturbation
from onnxcert.data.points import PointCloud, normalise, resample
from onnxcert.errors import InputError, ModelError, ParameterError
from onnxcert.model.adapter.base import INPUT
from onnxcert.model.adapter.point_orders import orders, repeat_in_orders, restore_order
from onnxcert.model.contract.change import refuse_unfit
from onnxcert.model.contract.points import PointContract
from onnxcert.model.graph.nodes import Nodes
from onnxcert.perturbation import OnChannels
from onnxcert.sampling.tally import Element

ORDERS: Final = "onnxcert_orders"
INVERSE: Final = "onnxcert_inverse"
_ORDERS: Final = (ORDERS, INVERSE)
_UNITS: Final = {
    "unit-sphere": "coordinates centred at the shape's mean and divided by the largest distance "
    "from it, both held fixed",
    "own": "coordinates as the file holds them",
}
# Length 1 in float32, with a tolerance.
_SPHERE: Final = 1 + 1e-3


@final
@dataclass(frozen=True)
class PointAdapter:
    """Adapter from points [c, N] to the network's input; see `onnxcert.model.adapter.base.Adapter`.

    Rows 0 to 2 are the coordinates, then normals and features as in the contract. If the model
    needs the category, the last row holds its number N times.

    Attributes:
        contract: contract of the model.
        fill: whether points are repeated if there are fewer than the model takes.
    """

    contract: PointContract
    fill: bool = False

    @property
    def unit(self) -> str:
        # The norm covers all noisy values, and a copy made by --fill has its own share.
        every = "all points together" + (", copies of points counted each" if self.fill else "")
        return f"{every}, {_UNITS[self.contract.frame]}"

    @property
    def element(self) -> Element:
        return Element.POINT

    @property
    def remedy(self) -> str:
        return "try another number of points with --points"

    @property
    def description(self) -> str:
        contract = self.contract
        many = "as many as there are" if contract.points is None else str(contract.points)
        more = [
            *([f"category to {contract.category_input}"] if contract.category_input else []),
            *(["parts of the category only"] if contract.restricted else []),
            *([f"mean of {contract.passes} passes"] if contract.passes > 1 else []),
            *(["filled up"] if self.fill else []),
        ]
        return ", ".join(
            [
                f"points  {contract.channels} ({contract.sources.get('channels', '')}), "
                f"{contract.frame} frame ({contract.sources.get('frame', '')}), {many}",
                *more,
            ]
        )

    @property
    def averaged(self) -> str:
        return ""

    def as_dict(self) -> dict[str, Any]:
        return {"fill": self.fill}

    def values(self, shape: tuple[int, ...]) -> int:
        return self.contract.network_channels * shape[-1] * self.contract.passes

    def describe(self, shape: tuple[int, ...]) -> str:
        return f"shapes of {shape[-1]} points"

    def preprocess(self, given: Any) -> Any:
        """Return a `PointCloud` in the contract's frame and number of points; arrays unchanged."""
        if not isinstance(given, PointCloud):
            return given
        cloud = normalise(given, self.contract.frame)  # type: ignore[arg-type]
        return resample(cloud, self.contract.points, fill=self.fill)

    def to_array(self, cloud: Any) -> FloatArray:
        """Return a prepared `PointCloud`, or rows [c, N] in its format, as one array [c, N]."""
        contract = self.contract
        if not isinstance(cloud, PointCloud):
            rows = np.ascontiguousarray(cloud, dtype=np.float32)
            if rows.ndim != 2 or len(rows) != contract.declared_channels or rows.size == 0:
                raise InputError(
                    f"points must have the shape [{contract.declared_channels}, N], got "
                    f"{list(rows.shape)}; pass a PointCloud, or an array of this shape."
                )
            self._check_rows(rows)
            return rows
        rows_ = [cloud.points.T]
        if contract.has_normals:
            if cloud.normals is None:
                raise InputError(
                    "the model takes normals but the shape has none; use a file with normals."
                )
            rows_.append(cloud.normals.T)
        if contract.features:
            found = 0 if cloud.features is None else cloud.features.shape[1]
            if cloud.features is None or found != contract.features:
                raise InputError(
                    f"the model takes {contract.features} further features per point, but the "
                    f"shape has {found}; use a file with as many, or name its --columns."
                )
            rows_.append(cloud.features.T)
        if contract.needs_category:
            number = self._number(cloud.category)
            rows_.append(np.full((1, len(cloud)), number, dtype=np.float32))
        return np.ascontiguousarray(np.concatenate(rows_), dtype=np.float32)

    def _check_rows(self, rows: FloatArray) -> None:
        """Raise InputError if rows given as an array violate the contract's frame or categories."""
        if self.contract.frame == "unit-sphere":
            farthest = float(np.sqrt(np.square(rows[:3].astype(np.float64)).sum(axis=0)).max())
            if farthest > _SPHERE:
                raise InputError(
                    f"the model takes shapes in the unit sphere, but a point is {farthest:.6g} "
                    "from its centre; pass a PointCloud, which is normalised, or open the model "
                    "with frame='own'."
                )
        count = len(self.contract.categories)
        if self.contract.needs_category and not (
            (rows[-1] == rows[-1, 0]).all() and float(rows[-1, 0]) in range(count)
        ):
            raise InputError(
                f"the last row must hold one number from 0 to {count - 1}, the shape's category, "
                f"got values from {rows[-1].min():g} to {rows[-1].max():g}; correct it, or pass a "
                "PointCloud with a category."
            )

    def category(self, given: str) -> str:
        """Return the model's name of a category; return `given` unchanged if it is unknown.

        `given` is the name, also in other letter case if that is unique, or the number in order.
        """
        names = [name for name, _ in self.contract.categories]
        alike = [name for name in names if name.casefold() == given.casefold()]
        if given in alike or len(alike) > 1:
            return given
        known = {name.casefold(): name for name in names}
        if given.casefold() in known:
            return known[given.casefold()]
        if given.isdecimal() and len(given) < 6 and int(given) < len(names):
            return names[int(given)]
        return given

    def _number(self, given: str) -> int:
        names = [name for name, _ in self.contract.categories]
        category = self.category(given)
        if category not in names:
            came = f"got {given!r}" if given else "but it is missing"
            raise InputError(
                f"the model needs the category of a shape, one of {', '.join(names)}, {came}; "
                "name it in the file, or with --category."
            )
        return names.index(category)

    def check(self, shape: tuple[int, ...], path: Path) -> None:
        wanted = self.contract.points
        channels = self.contract.declared_channels
        if len(shape) != 2 or shape[0] != channels:
            raise ModelError(
                f"the model takes points as [batch, {channels}, N], got {['batch', *shape]}."
            )
        if wanted is not None and shape[1] != wanted:
            raise ModelError(f"{path} takes shapes of {wanted} points, got {shape[1]}.")

    def check_noise(self, x: FloatArray, noisy: FloatArray, perturbation: Perturbation, /) -> None:
        """Raise ParameterError if noise does not fit the model, or changes the category."""
        of = perturbation.of if isinstance(perturbation, OnChannels) else perturbation
        refuse_unfit(type(of), self.contract)
        if perturbation.parameters().get("vectors") == 2 and not self.contract.has_normals:
            raise ParameterError(
                f"the rotation applies to coordinates and normals, but the model takes "
                f"{self.contract.channels}; use vectors=1."
            )
        if self.contract.needs_category and not np.array_equal(x[-1], noisy[-1]):
            raise ParameterError(
                "the last row is the shape's category and must not change, but the noise changed "
                "it; use OnChannels(noise, 0, 3) for noise on the coordinates."
            )

    def score_grid(self, shape: tuple[int, ...]) -> tuple[int, ...] | None:
        return (shape[-1],)

    def grid(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (shape[-1],)

    def label_grid(self, shape: tuple[int, ...]) -> tuple[int, ...] | None:
        return (shape[-1],)

    def inputs(self, rows: int | str) -> list[onnx.ValueInfoProto]:
        info = helper.make_tensor_value_info
        channels, passes = self.contract.declared_channels, self.contract.passes
        inputs = [info(INPUT, TensorProto.FLOAT, [rows, channels, "points"])]
        if passes > 1:
            inputs += [info(name, TensorProto.INT64, [passes, "points"]) for name in _ORDERS]
        return inputs

    def feeds(self, shape: tuple[int, ...]) -> dict[str, IntArray]:
        if self.contract.passes == 1:
            return {}
        order = orders(self.contract.passes, shape[-1])
        return {ORDERS: order, INVERSE: np.argsort(order, axis=1)}

    def front(self, nodes: Nodes, inputs: Mapping[str, onnx.ValueInfoProto], /) -> str:
        """Add the nodes before the network; return the points as they are, [B, c, N]."""
        contract = self.contract
        points = INPUT
        if contract.needs_category:
            points = nodes.slice(INPUT, 0, contract.network_channels, axis=1)
        seen = points
        if contract.passes > 1:
            seen = repeat_in_orders(nodes, points, ORDERS)
        if contract.dtype != "float32":
            seen = nodes.cast(seen, contract.dtype)
        if contract.layout == "BNC":
            seen = nodes.add("Transpose", seen, perm=[0, 2, 1])
        nodes.add("Identity", seen, output=contract.input)
        if contract.category_input:
            self._one_hot(nodes, inputs[contract.category_input])
        return points

    def back(self, nodes: Nodes, scores: str, _seen: str, _other_size: bool, /) -> tuple[str, str]:
        """Add the nodes after the network; return the scores and the scores to compare.

        Scores are the mean of all passes in the points' own order. In the scores to compare, parts
        that the shape's category does not have are minus infinity.
        """
        contract = self.contract
        if contract.passes > 1:
            scores = restore_order(nodes, scores, INVERSE, contract.passes)
        # Classes are unknown before the first pass, whose output is not counted.
        if not contract.restricted or contract.classes is None:
            return scores, scores
        allowed = np.zeros((len(contract.categories), contract.classes, 1), dtype=np.bool_)
        for row, (_, parts) in enumerate(contract.categories):
            allowed[row, list(parts)] = True
        mine = nodes.add(
            "Gather", nodes.constant(allowed, np.bool_), self._categories(nodes), axis=0
        )
        return scores, nodes.add("Where", mine, scores, nodes.constant(-np.inf, np.float32))

    def _categories(self, nodes: Nodes) -> str:
        """Add nodes for the number of each row's category; return its name, int64 [B]."""
        last = nodes.slice(INPUT, self.contract.network_channels, None, axis=1)
        first = nodes.slice(last, 0, 1, axis=2)
        flat = nodes.add("Squeeze", first, nodes.constant([1, 2]))
        return nodes.cast(nodes.add("Round", flat), np.int64)

    def _one_hot(self, nodes: Nodes, value: onnx.ValueInfoProto) -> None:
        """Compute the graph input `value` [B, K], [B, 1, K] or [B, K, 1] from the category."""
        kind = helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        count = len(self.contract.categories)
        hot = nodes.add(
            "OneHot",
            self._categories(nodes),
            nodes.constant(count),
            nodes.constant([0, 1], np.float32),
        )
        if self.contract.passes > 1:
            hot = nodes.add("Unsqueeze", hot, nodes.constant([1]))
            wide = nodes.constant([1, self.contract.passes, 1])
            hot = nodes.add("Expand", hot, wide)
            hot = nodes.add("Reshape", hot, nodes.constant([-1, count]))
        axes = [d.dim_value for d in value.type.tensor_type.shape.dim]
        if len(axes) == 3:
            # [B, 1, K] if both axes are free, as common networks take it.
            last = axes[1] == count != axes[2] or axes[2] == 1 != axes[1]
            hot = nodes.add("Unsqueeze", hot, nodes.constant([2 if last else 1]))
        nodes.cast(hot, kind, self.contract.category_input)
