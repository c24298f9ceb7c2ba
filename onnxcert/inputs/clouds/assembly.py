"""From the numbers in a file to a point cloud, each checked and named where it is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from onnxcert._typing import FloatArray
from onnxcert.errors import InputError
from onnxcert.inputs.clouds.cloud import PointCloud
from onnxcert.inputs.clouds.columns import Columns, guessed

#: Names a row in a message, such as ``line 7``.
Place = Callable[[int], str]

Numbers = npt.NDArray[Any]

# float32 keeps 24 bits: coordinates that far from the origin, beside the cloud's own size, lose
# what tells its points apart.
_LOST: Final = 1e-4
_LONGEST: Final = 100


def from_table(
    where: str, table: Numbers, columns: Columns | None, place: Place, *, category: str = ""
) -> PointCloud:
    """A cloud from rows of numbers [N, k].

    Args:
        where: the file, for messages.
        table: real numbers.
        columns: what they are; None for `guessed`.
        place: how a row is called.
        category: of the shape.

    Raises:
        InputError: the columns do not fit, or a number cannot be what it should be.
    """
    if columns is None:
        columns = guessed(where, finite(where, table, "numbers", place))
    parts = {kind: table[:, at] for kind, at in columns.slices(where, table.shape[1])}
    further = [
        colours(where, parts[kind], 255, place) if kind == "rgb" else parts[kind]
        for kind in columns.kinds
        if kind in ("rgb", "features")
    ]
    return assembled(
        where,
        parts["xyz"],
        normals=parts.get("normals"),
        features=np.hstack(further) if further else None,
        labels=parts["label"][:, 0] if "label" in parts else None,
        category=category,
        place=place,
    )


def assembled(
    where: str,
    points: Numbers,
    *,
    normals: Numbers | None = None,
    features: Numbers | None = None,
    labels: Numbers | None = None,
    category: str = "",
    place: Place,
) -> PointCloud:
    """A cloud from its arrays, of one length N.

    Raises:
        InputError: a number is not finite, not a class, or too large, or the category is no name.
    """
    return PointCloud(
        _coordinates(where, points, place),
        None if normals is None else narrow(where, normals, "normals", place),
        None if features is None else narrow(where, features, "features", place),
        checked_category(where, category),
        None if labels is None else classes(where, labels, place),
    )


def finite(where: str, values: Numbers, what: str, place: Place) -> npt.NDArray[np.float64]:
    """`values` [N, k] as float64; InputError where one is NaN, infinite or beyond float32."""
    wide = values.astype(np.float64, copy=False)
    # Written so that NaN fails as well.
    good = np.abs(wide) <= np.finfo(np.float32).max
    if not good.all():
        row = int(np.flatnonzero(~good.all(axis=1))[0])
        raise InputError(
            f"{where}: expected {what} that are finite and fit float32, but {place(row)} has "
            f"{wide[row][~good[row]][0]:g}: repair or remove the point."
        )
    return wide


def narrow(where: str, values: Numbers, what: str, place: Place) -> FloatArray:
    """`values` [N, k] as float32; see `finite`."""
    return finite(where, values, what, place).astype(np.float32)


def _coordinates(where: str, values: Numbers, place: Place) -> FloatArray:
    wide = finite(where, values, "coordinates", place)
    points = wide.astype(np.float32)
    extent = float(np.ptp(wide, axis=0).max())
    if 0 < _LOST * extent < float(np.abs(points - wide).max()):
        raise InputError(
            f"{where}: expected coordinates that keep their detail in float32, but they are "
            f"{float(np.abs(wide).max()):.6g} from the origin at an extent of {extent:.3g}: "
            "subtract an offset from all points of the file."
        )
    return points


def classes(where: str, values: Numbers, place: Place) -> npt.NDArray[np.int32]:
    """Whole numbers [N] as int32; InputError where one is none, or too large."""
    limits = np.iinfo(np.int32)
    good = values == np.rint(values)
    good &= (values >= limits.min) & (values <= limits.max)
    if not good.all():
        row = int(np.flatnonzero(~good)[0])
        raise InputError(
            f"{where}: expected a class as a whole number of up to 31 bits for each point, but "
            f"{place(row)} has {float(values[row]):.10g}: mend the labels."
        )
    return values.astype(np.int32)


def colours(where: str, values: Numbers, largest: int, place: Place) -> npt.NDArray[np.float64]:
    """`values` [N, 3], 0 .. `largest`, as float64 in [0, 1]; InputError where one lies outside."""
    wide = finite(where, values, "colours", place)
    good = ((wide >= 0) & (wide <= largest)).all(axis=1)
    if not good.all():
        row = int(np.flatnonzero(~good)[0])
        raise InputError(
            f"{where}: expected colours from 0 to {largest}, but {place(row)} has "
            f"{', '.join(f'{value:g}' for value in wide[row])}: scale them."
        )
    return wide / largest


def checked_category(where: str, name: str) -> str:
    """`name` without space at its ends; InputError where it is no name of one line."""
    name = name.strip()
    if len(name) > _LONGEST or not name.isprintable():
        raise InputError(
            f"{where}: expected the name of a category of at most {_LONGEST} characters, but it "
            f"is {name[:40]!r}: shorten it."
        )
    return name
