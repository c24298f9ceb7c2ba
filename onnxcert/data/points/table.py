"""Tables of numbers: meaning of the columns, limits, and the point cloud built from them.

Errors name the wrong point or line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Self, final

import numpy as np
import numpy.typing as npt

from onnxcert._typing import FloatArray, LevelArray
from onnxcert.data.points.point_cloud import PointCloud
from onnxcert.errors import InputError, ParameterError

_WIDTHS: Final = {"xyz": 3, "normals": 3, "rgb": 3, "label": 1, "skip": 1, "features": 0}
# Guess that vectors are normals if at least this share has unit length within _UNIT.
_UNIT: Final = 0.1
_SHARE: Final = 0.9


@final
@dataclass(frozen=True)
class Columns:
    """The columns of a table of points, from left to right.

    Attributes:
        kinds: ``xyz``, once; ``normals`` (three columns); ``rgb`` (three, 0 to 255); ``label``
            (one); ``skip`` (one, any number of times); ``features`` (all other columns).
    """

    kinds: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse column kinds separated by commas, such as ``xyz,normals,label``.

        Raises:
            ParameterError: a word is unknown or repeated, or there are no coordinates.
        """
        kinds = tuple(word.strip().lower() for word in text.split(","))
        twice = any(kinds.count(kind) > 1 for kind in kinds if kind != "skip")
        if twice or "xyz" not in kinds or not set(kinds) <= set(_WIDTHS):
            raise ParameterError(
                f"expected --columns as words out of {', '.join(_WIDTHS)}, separated by commas, "
                f"with xyz and only skip repeated, but it is {text[:80]!r}: describe the columns "
                "of the file, such as xyz,normals,label."
            )
        return cls(kinds)

    def slices(self, where: str, width: int) -> Iterator[tuple[str, slice]]:
        """Yield each kind with its slice of a row of `width` numbers.

        Raises:
            InputError: there are too many or too few columns.
        """
        taken = sum(_WIDTHS[kind] for kind in self.kinds)
        spare = width - taken
        if spare < 0 or (spare > 0) != ("features" in self.kinds):
            more = "more than " if "features" in self.kinds else ""
            raise InputError(
                f"{where}: expected {more}{taken} columns, as in --columns {','.join(self.kinds)}, "
                f"but there are {width}: describe the columns of the file."
            )
        at = 0
        for kind in self.kinds:
            end = at + (_WIDTHS[kind] or spare)
            yield kind, slice(at, end)
            at = end


def guess_columns(where: str, table: LevelArray) -> Columns:
    """Guess the columns of a table without description: x y z, then unit normals, then a class.

    Raises:
        InputError: the columns are ambiguous.
    """
    width = table.shape[1]
    if width == 3:
        return Columns(("xyz",))
    found = f"there are {width}"
    if width in (6, 7):
        if not _are_normals(table[:, 3:6]):
            found = f"of {width} columns, the 4th to 6th are not unit vectors"
        elif width == 6:
            return Columns(("xyz", "normals"))
        elif np.array_equal(table[:, 6], np.rint(table[:, 6])):
            return Columns(("xyz", "normals", "label"))
        else:
            found = "of 7 columns, the last does not hold integers"
    raise InputError(
        f"{where}: expected columns x y z, or x y z with a unit normal, or both with a class, but "
        f"{found}: describe them with --columns, such as xyz,features,label."
    )


def _are_normals(vectors: LevelArray) -> bool:
    with np.errstate(over="ignore", invalid="ignore"):
        length = np.sqrt(np.square(vectors).sum(axis=1))
        return bool(np.mean(np.abs(length - 1) <= _UNIT) >= _SHARE)


#: Most points of one point cloud. Their coordinates and normals take 240 MB as float32.
MAX_POINTS: Final = 10_000_000
#: Most numbers of one point cloud. They take 800 MB while they are checked.
MAX_NUMBERS: Final = 100_000_000
#: Largest file that is opened.
MAX_BYTES: Final = 2**30


def check_counts(where: str, points: int, columns: int = 3) -> None:
    """Raise InputError unless there is a point, and no more points and numbers than the limits."""
    if points < 1 or columns < 1:
        raise InputError(f"{where}: expected a point cloud, but it has no points: leave it out.")
    if points > MAX_POINTS or points * columns > MAX_NUMBERS:
        raise InputError(
            f"{where}: expected at most {MAX_POINTS:,} points and {MAX_NUMBERS:,} numbers, but it "
            f"has {points:,} points of {columns:,} numbers each: split it."
        )


#: Returns the name of a row for messages, such as ``line 7``.
DescribeRow = Callable[[int], str]

Numbers = npt.NDArray[Any]

# Largest rounding error to float32 (24 bits), as a share of the extent of the point cloud: far
# from the origin, points lose their detail.
_LOST: Final = 1e-4
_LONGEST: Final = 100


def from_table(
    where: str,
    table: Numbers,
    columns: Columns | None,
    describe_row: DescribeRow,
    *,
    category: str = "",
) -> PointCloud:
    """Build a point cloud from rows of numbers [N, k].

    Args:
        where: the file, for messages.
        table: real numbers.
        columns: meaning of the columns; None to use `guess_columns`.
        describe_row: how messages name a row.
        category: shape category.

    Raises:
        InputError: the columns do not fit, or a number is invalid for its column.
    """
    if columns is None:
        columns = guess_columns(where, check_finite(where, table, "numbers", describe_row))
    parts = {kind: table[:, at] for kind, at in columns.slices(where, table.shape[1])}
    further = [
        scale_colours(where, parts[kind], 255, describe_row) if kind == "rgb" else parts[kind]
        for kind in columns.kinds
        if kind in ("rgb", "features")
    ]
    return build_cloud(
        where,
        parts["xyz"],
        normals=parts.get("normals"),
        features=np.hstack(further) if further else None,
        labels=parts["label"][:, 0] if "label" in parts else None,
        category=category,
        describe_row=describe_row,
    )


def build_cloud(
    where: str,
    points: Numbers,
    *,
    normals: Numbers | None = None,
    features: Numbers | None = None,
    labels: Numbers | None = None,
    category: str = "",
    describe_row: DescribeRow,
) -> PointCloud:
    """Build a point cloud from its arrays, all of length N; see `PointCloud`.

    Raises:
        InputError: a number is not finite, too large or not a class, or the category is invalid.
    """
    return PointCloud(
        _coordinates(where, points, describe_row),
        None if normals is None else to_float32(where, normals, "normals", describe_row),
        None if features is None else to_float32(where, features, "features", describe_row),
        check_category(where, category),
        None if labels is None else to_classes(where, labels, describe_row),
    )


def check_finite(
    where: str, values: Numbers, what: str, describe_row: DescribeRow
) -> npt.NDArray[np.float64]:
    """Return `values` [N, k] as float64; raise InputError for NaN, infinity or float32 overflow."""
    wide = values.astype(np.float64, copy=False)
    # Written so that NaN fails as well.
    good = np.abs(wide) <= np.finfo(np.float32).max
    if not good.all():
        row = int(np.flatnonzero(~good.all(axis=1))[0])
        raise InputError(
            f"{where}: expected {what} that are finite and fit float32, but "
            f"{describe_row(row)} has {wide[row][~good[row]][0]:g}: fix or remove the point."
        )
    return wide


def to_float32(where: str, values: Numbers, what: str, describe_row: DescribeRow) -> FloatArray:
    """Return `values` [N, k] as float32; see `check_finite`."""
    return check_finite(where, values, what, describe_row).astype(np.float32)


def _coordinates(where: str, values: Numbers, describe_row: DescribeRow) -> FloatArray:
    wide = check_finite(where, values, "coordinates", describe_row)
    points = wide.astype(np.float32)
    extent = float(np.ptp(wide, axis=0).max())
    if 0 < _LOST * extent < float(np.abs(points - wide).max()):
        raise InputError(
            f"{where}: expected coordinates that keep their detail in float32, but they are "
            f"{float(np.abs(wide).max()):.6g} from the origin at an extent of {extent:.3g}: "
            "subtract an offset from all points of the file."
        )
    return points


def to_classes(where: str, values: Numbers, describe_row: DescribeRow) -> npt.NDArray[np.int32]:
    """Return `values` [N] as int32; raise InputError unless all are integers in its range."""
    limits = np.iinfo(np.int32)
    good = values == np.rint(values)
    good &= (values >= limits.min) & (values <= limits.max)
    if not good.all():
        row = int(np.flatnonzero(~good)[0])
        raise InputError(
            f"{where}: expected a class as an integer of up to 31 bits for each point, but "
            f"{describe_row(row)} has {float(values[row]):.10g}: fix the labels."
        )
    return values.astype(np.int32)


def scale_colours(
    where: str, values: Numbers, largest: int, describe_row: DescribeRow
) -> npt.NDArray[np.float64]:
    """Return colours [N, 3] of 0 .. `largest` as float64 in [0, 1]; raise InputError for others."""
    wide = check_finite(where, values, "colours", describe_row)
    good = ((wide >= 0) & (wide <= largest)).all(axis=1)
    if not good.all():
        row = int(np.flatnonzero(~good)[0])
        raise InputError(
            f"{where}: expected colours from 0 to {largest}, but {describe_row(row)} has "
            f"{', '.join(f'{value:g}' for value in wide[row])}: scale them."
        )
    return wide / largest


def check_category(where: str, name: str) -> str:
    """Return `name` without outer whitespace; raise InputError unless it is one short line."""
    name = name.strip()
    if len(name) > _LONGEST or not name.isprintable():
        raise InputError(
            f"{where}: expected a category name of at most {_LONGEST} characters, but it is "
            f"{name[:40]!r}: shorten it."
        )
    return name
