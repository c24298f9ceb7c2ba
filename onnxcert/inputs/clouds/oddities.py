"""What is odd about a cloud and yet no reason to refuse it: one sentence each."""

from __future__ import annotations

import numpy as np

from onnxcert.inputs.clouds.cloud import PointCloud


def duplicates(cloud: PointCloud) -> str:
    """A sentence with the number of points that lie exactly where an earlier one does, or none."""
    # Zero of either sign is one place.
    rows = np.ascontiguousarray(cloud.points + np.float32(0)).view(np.dtype((np.void, 12)))
    repeated = len(cloud) - len(np.unique(rows))
    if not repeated:
        return ""
    verb = "s" if repeated == 1 else ""
    return (
        f"{repeated:,} of {len(cloud):,} points lie{verb} exactly where another one does; they are "
        "kept, and each is a component of its own."
    )


def missing_normals(cloud: PointCloud) -> str:
    """A sentence with the number of points whose normal is the zero vector, or none."""
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
