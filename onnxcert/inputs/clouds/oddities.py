"""Quality warnings about a point cloud that is unusual but accepted: one sentence each."""

from __future__ import annotations

import numpy as np

from onnxcert.inputs.clouds.cloud import PointCloud


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
