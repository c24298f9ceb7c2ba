"""Quality warnings about a point cloud that is unusual but accepted: one sentence each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from onnxcert._typing import FloatArray, IntArray
from onnxcert.errors import InputError


@final
@dataclass(frozen=True, eq=False)
class PointCloud:
    """Points with their attributes, in file order.

    Attributes:
        points: coordinates; float32 [N, 3].
        normals: unit vectors; float32 [N, 3], or None.
        features: further values of each point, such as colours; float32 [N, k], or None.
        category: category of the whole shape, e.g. ``chair``; empty if unknown.
        labels: class of each point; int32 [N], or None.

    Raises:
        InputError: an array has another shape or type, no points, or NaN or infinity.
    """

    points: FloatArray
    normals: FloatArray | None = None
    features: FloatArray | None = None
    category: str = ""
    labels: IntArray | None = None

    def __post_init__(self) -> None:
        n_points = len(self.points)
        for name, array, wanted in (
            ("points", self.points, (n_points, 3)),
            ("normals", self.normals, (n_points, 3)),
            ("features", self.features, None),
        ):
            if array is None:
                continue
            fits = array.shape == wanted if wanted else array.ndim == 2 and len(array) == n_points
            if not fits or array.dtype != np.float32 or n_points == 0:
                raise InputError(
                    f"expected {name} as float32 [N, {wanted[1] if wanted else 'k'}] with N of at "
                    f"least 1, got {array.dtype} {list(array.shape)}: convert them."
                )
            if not np.isfinite(array).all():
                row = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
                raise InputError(
                    f"expected finite numbers, but the {name} of point {row} hold NaN or infinity: "
                    "fix or remove the point."
                )
        if self.labels is not None and (
            self.labels.shape != (n_points,) or self.labels.dtype != np.int32
        ):
            raise InputError(
                f"expected a class for each of {n_points} points as int32 [N], got "
                f"{self.labels.dtype} {list(self.labels.shape)}: convert them."
            )

    def __len__(self) -> int:
        return len(self.points)


def describe_duplicates(cloud: PointCloud) -> str:
    """Return a warning with the number of points equal to an earlier one; empty if none is."""
    # Adding zero turns -0 into 0: both are the same position.
    rows = np.ascontiguousarray(cloud.points + np.float32(0)).view(np.dtype((np.void, 12)))
    repeated = len(cloud) - len(np.unique(rows))
    if not repeated:
        return ""
    verb = "s" if repeated == 1 else ""
    return (
        f"{repeated:,} of {len(cloud):,} points lie{verb} exactly where another one does; they are "
        "kept, and each is a component of its own."
    )


def describe_missing_normals(cloud: PointCloud) -> str:
    """Return a warning with the number of zero normals; empty if there are none."""
    if cloud.normals is None:
        return ""
    missing = len(cloud) - int(cloud.normals.any(axis=1).sum())
    if not missing:
        return ""
    verb = "has" if missing == 1 else "have"
    return (
        f"{missing:,} of {len(cloud):,} points {verb} the zero vector as normal, which stays zero "
        "where unit vectors are expected."
    )
