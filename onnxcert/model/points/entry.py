"""How points reach the network, and the scores come back to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import numpy as np
import onnx
from onnx import TensorProto, helper

from onnxcert._typing import FloatArray, IntArray, Perturbation
from onnxcert.errors import InputError, ModelError, ParameterError
from onnxcert.inputs.clouds import PointCloud, framed, kept
from onnxcert.model.entry import INPUT
from onnxcert.model.nodes import Nodes
from onnxcert.model.points.contract import PointContract
from onnxcert.model.points.orders import back_in_order, orders, repeated
from onnxcert.result import POINTS

ORDERS: Final = "onnxcert_orders"
INVERSE: Final = "onnxcert_inverse"
_ORDERS: Final = (ORDERS, INVERSE)
_UNITS: Final = {
    "unit-sphere": "coordinates centred at the shape's mean and divided by the largest distance "
    "from it, both held fixed",
    "own": "coordinates as the file holds them",
}
# A vector of length 1 in float32, and what it may be off.
_SPHERE: Final = 1 + 1e-3


@final
@dataclass(frozen=True)
class PointEntry:
    """Points [c, N] to the network's input; see `onnxcert.model.entry.Entry`.

    Rows 0 to 2 are the coordinates, then come normals and features as the contract says, and last,
    where the model needs to know the category, one row that holds its number N times.

    Attributes:
        contract: how to talk to the model.
        fill: whether points are repeated where there are fewer than the model takes.
    """

    contract: PointContract
    fill: bool = False

    @property
    def unit(self) -> str:
        # The norm is over all that takes noise, and a copy that --fill made has a share of its own.
        every = "all points together" + (", copies of points counted each" if self.fill else "")
        return f"{every}, {_UNITS[self.contract.frame]}"

    @property
    def whole(self) -> str:
        return "shape"

    @property
    def parts(self) -> str:
        return POINTS

    @property
    def remedy(self) -> str:
        return "try another number of points with --points"

    @property
    def said(self) -> str:
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

    def described(self, shape: tuple[int, ...]) -> str:
        return f"shapes of {shape[-1]} points"

    def prepared(self, given: Any) -> Any:
        """A `PointCloud` in the contract's frame, with as many points; an array as it is."""
        if not isinstance(given, PointCloud):
            return given
        cloud = framed(given, self.contract.frame)  # type: ignore[arg-type]
        return kept(cloud, self.contract.points, fill=self.fill)

    def declared(self, cloud: Any) -> FloatArray:
        """A prepared `PointCloud`, or rows [c, N] that are just that, as one array [c, N]."""
        contract = self.contract
        if not isinstance(cloud, PointCloud):
            rows = np.ascontiguousarray(cloud, dtype=np.float32)
            if rows.ndim != 2 or len(rows) != contract.declared_channels or rows.size == 0:
                raise InputError(
                    f"points must have the shape [{contract.declared_channels}, N], got "
                    f"{list(rows.shape)}; give a PointCloud, or just these rows."
                )
            self._check_rows(rows)
            return rows
        rows_ = [cloud.points.T]
        if contract.has_normals:
            if cloud.normals is None:
                raise InputError(
                    "the model takes normals and the shape has none; give a file with normals."
                )
            rows_.append(cloud.normals.T)
        if contract.features:
            found = 0 if cloud.features is None else cloud.features.shape[1]
            if cloud.features is None or found != contract.features:
                raise InputError(
                    f"the model takes {contract.features} further features of each point, and the "
                    f"shape has {found}; give a file with as many, or name its --columns."
                )
            rows_.append(cloud.features.T)
        if contract.needs_category:
            number = self._number(cloud.category)
            rows_.append(np.full((1, len(cloud)), number, dtype=np.float32))
        return np.ascontiguousarray(np.concatenate(rows_), dtype=np.float32)

    def _check_rows(self, rows: FloatArray) -> None:
        """Raise InputError where rows given as they are cannot be what the statement says."""
        if self.contract.frame == "unit-sphere":
            farthest = float(np.sqrt(np.square(rows[:3].astype(np.float64)).sum(axis=0)).max())
            if farthest > _SPHERE:
                raise InputError(
                    f"the model takes shapes in the unit sphere, and a point is {farthest:.6g} "
                    "from its centre; give a PointCloud, which is brought there, or open the model "
                    "with frame='own'."
                )
        count = len(self.contract.categories)
        if self.contract.needs_category and not (
            (rows[-1] == rows[-1, 0]).all() and float(rows[-1, 0]) in range(count)
        ):
            raise InputError(
                f"the last row holds the number of the shape's category, 0 to {count - 1}, at each "
                f"point, and here it runs from {rows[-1].min():g} to {rows[-1].max():g}; give a "
                "PointCloud with a category, or its number N times."
            )

    def category(self, told: str) -> str:
        """The model's name of the category told: that name itself, or in other letter case where
        only one is like it, or as a number in the order of the categories; else as told."""
        names = [name for name, _ in self.contract.categories]
        alike = [name for name in names if name.casefold() == told.casefold()]
        if told in alike or len(alike) > 1:
            return told
        known = {name.casefold(): name for name in names}
        if told.casefold() in known:
            return known[told.casefold()]
        if told.isdecimal() and len(told) < 6 and int(told) < len(names):
            return names[int(told)]
        return told

    def _number(self, told: str) -> int:
        names = [name for name, _ in self.contract.categories]
        category = self.category(told)
        if category not in names:
            came = f"it is called {told!r}" if told else "nothing says which it is"
            raise InputError(
                f"the model needs the category of a shape, one of {', '.join(names)}, but {came}; "
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
        """The category is no place in space, and takes no noise; and only normals are normals."""
        if perturbation.parameters().get("vectors") == 2 and not self.contract.has_normals:
            raise ParameterError(
                f"the rotation turns coordinates and normals, and the model takes "
                f"{self.contract.channels}; use vectors=1."
            )
        if self.contract.needs_category and not np.array_equal(x[-1], noisy[-1]):
            raise ParameterError(
                "the last row tells the shape's category and must stay as it is, but the noise "
                "reached it; use OnChannels(noise, 0, 3) for noise on the coordinates."
            )

    def scored(self, shape: tuple[int, ...]) -> tuple[int, ...] | None:
        return (shape[-1],)

    def grid(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (shape[-1],)

    def labelled(self, shape: tuple[int, ...]) -> tuple[int, ...] | None:
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
        """Returns the points as they are, [B, c, N]."""
        contract = self.contract
        points = INPUT
        if contract.needs_category:
            points = nodes.sliced(INPUT, 0, contract.network_channels, axis=1)
        seen = points
        if contract.passes > 1:
            seen = repeated(nodes, points, ORDERS)
        if contract.dtype != "float32":
            seen = nodes.cast(seen, contract.dtype)
        if contract.layout == "BNC":
            seen = nodes.add("Transpose", seen, perm=[0, 2, 1])
        nodes.add("Identity", seen, output=contract.input)
        if contract.category_input:
            self._one_hot(nodes, inputs[contract.category_input])
        return points

    def back(self, nodes: Nodes, scores: str, _seen: str, _other_size: bool, /) -> tuple[str, str]:
        """Scores of the points in their own order, the mean of all passes; and the same with
        minus infinity for parts that shapes of the category do not have."""
        contract = self.contract
        if contract.passes > 1:
            scores = back_in_order(nodes, scores, INVERSE, contract.passes)
        # Classes are unknown before the first pass, whose answer does not count.
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
        """The number of each row's category; int64 [B]."""
        last = nodes.sliced(INPUT, self.contract.network_channels, None, axis=1)
        first = nodes.sliced(last, 0, 1, axis=2)
        flat = nodes.add("Squeeze", first, nodes.constant([1, 2]))
        return nodes.cast(nodes.add("Round", flat), np.int64)

    def _one_hot(self, nodes: Nodes, value: onnx.ValueInfoProto) -> None:
        """The graph input `value` [B, K], [B, 1, K] or [B, K, 1] from the category."""
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
            # [B, 1, K] where both are free, as the field's networks take it.
            last = axes[1] == count != axes[2] or axes[2] == 1 != axes[1]
            hot = nodes.add("Unsqueeze", hot, nodes.constant([2 if last else 1]))
        nodes.cast(hot, kind, self.contract.category_input)
